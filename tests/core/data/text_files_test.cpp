#include "core/data/text_files.h"
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include "core/base/utf8.h"
#include "core/data/corpus.h"
#include "tests/support.h"

namespace charnn {
namespace {
using test::error_of;
using test::expect_contains;

class TextFilesTest : public testing::Test {
 protected:
  TextFilesTest() {
    std::filesystem::create_directories((folder_ / "src/deep"));
    std::filesystem::create_directories((folder_ / "src/.git"));
    for (const char* name : {"src/b.py", "src/a.py", "src/deep/c.py", "src/d.txt", "src/.git/x", "src/.hidden"})
      folder_.write(name, "text");
    folder_.write("src/e.bin", std::string("a\0b", 3));
  }
  std::vector<std::string> names(const std::string& given, Tokens tokens = Tokens::chars) {
    found_ = find_text_files({given}, tokens);
    for (std::string& path : found_.paths) path = std::filesystem::relative(path, (folder_ / "src")).string();
    return found_.paths;
  }
  using Names = std::vector<std::string>;

  test::TemporaryFolder folder_;
  TextFiles found_;
};

TEST_F(TextFilesTest, AFolderStandsForItsTexts) {
  EXPECT_EQ(names((folder_ / "src")), (Names{"a.py", "b.py", "d.txt", "deep/c.py"}));
  expect_contains(found_.note, "left out: 2 hidden (");
  expect_contains(found_.note, "left out: 1 binary (");
  EXPECT_EQ(names((folder_ / "src"), Tokens::bytes).size(), 5U) << "as bytes, any file can be read";
}

TEST_F(TextFilesTest, AFolderLeavesOutWhatIsNoText) {
  std::filesystem::create_directories(folder_ / "src/runs/x");
  folder_.write("src/runs/x/metrics.jsonl", "{}");
  folder_.write("src/runs/x/train.log", "text");
  folder_.write("src/empty.txt", "");
  folder_.write("src/latin.txt", "caf\xe9 au lait");
  std::filesystem::create_symlink("loop", folder_ / "src/loop");
  EXPECT_EQ(names(folder_ / "src"), (Names{"a.py", "b.py", "d.txt", "deep/c.py", "latin.txt"}));
  expect_contains(found_.note, "left out: 1 of a run");
  expect_contains(found_.note, "left out: 1 empty");
}

TEST_F(TextFilesTest, PatternsAndLists) {
  EXPECT_EQ(names((folder_ / "src/*.py")), (Names{"a.py", "b.py"}));
  const std::string list = folder_.write("list", (folder_ / "src/d.txt") + "\n\n" + (folder_ / "src/a.py") + "\n");
  EXPECT_EQ(names("@" + list), (Names{"d.txt", "a.py"})) << "in the order given";
  const std::string windows =
      folder_.write("windows", " " + (folder_ / "src/d.txt") + " \r\n" + (folder_ / "src/deep") + "\r\n");
  EXPECT_EQ(names("@" + windows), (Names{"d.txt", "deep/c.py"}));
  const std::string literal = folder_.write("src/[1]*.txt", "text");
  EXPECT_EQ(names(literal), Names{"[1]*.txt"}) << "a file of that very name";
}

TEST_F(TextFilesTest, SaysWhatIsMissing) {
  const auto message = [&](const std::string& given) {
    return error_of([&] { find_text_files({given}, Tokens::chars); });
  };
  expect_contains(message((folder_ / "src/*.md")), "pattern");
  expect_contains(message((folder_ / "src/*.bin")), "--tokens bytes");
  expect_contains(message("@" + (folder_ / "none")), "list of files");
  expect_contains(message("@" + folder_.write("list", "\n" + (folder_ / "none") + "\n")), "list, line 2: there is no");
  expect_contains(message("@" + folder_.write("blank", "\n\n")), "names no file");
}
}  // namespace

namespace {
std::string text_of(const Corpus& corpus, Split split) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(split.size()));
  corpus.copy(split.begin, ids);
  std::string text;
  for (const std::int64_t id : ids) text += corpus.vocabulary().text(id);
  return text;
}

/// 200 numbered lines.
std::string sorted_list(bool ends) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += fmt::format("é{:03}.\n", i);
  if (!ends) text.pop_back();
  return text;
}

TEST(CorpusOrder, ShufflesWholeDocumentsBeforeTheSplit) {
  const test::TemporaryFolder folder;
  for (const bool ends : {true, false}) {
    DataConfig config{.files = {folder.write("list", sorted_list(ends))}, .document_separator = "\n"};
    const std::string plain = text_of(Corpus(config), Corpus(config).all());
    config.order = Order::shuffled;
    const Corpus corpus(config);
    const std::string shuffled = text_of(corpus, corpus.all());
    EXPECT_NE(shuffled, plain);
    EXPECT_EQ(shuffled, text_of(Corpus(config), corpus.all())) << "the same seed, the same order";
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < shuffled.size();) {
      const std::size_t end = std::min(shuffled.find('\n', at), shuffled.size());
      lines.push_back(shuffled.substr(at, end - at));
      at = end + 1;
    }
    EXPECT_FALSE(std::is_sorted(lines.begin(), lines.end()));
    if (!ends) {
      EXPECT_EQ(lines.back(), "é199.") << "without its separator it must stay last";
    }
    std::sort(lines.begin(), lines.end());
    std::string joined;
    for (const std::string& line : lines) joined += line + "\n";
    EXPECT_EQ(joined, sorted_list(true)) << "nothing is lost or torn";
    const std::string val = text_of(corpus, corpus.val());
    EXPECT_TRUE(val.starts_with("é") && corpus.val().size() % 6 == (ends ? 0 : 5)) << "validation has whole documents";
    EXPECT_NEAR(static_cast<double>(corpus.val().size()), 120, 6);
    config.shuffle_seed = 2;
    EXPECT_NE(text_of(Corpus(config), corpus.all()), shuffled);
  }
}

TEST(CorpusOrder, AnyWindowIsThatOfTheWholeText) {
  const test::TemporaryFolder folder;
  const Corpus corpus(
      {.files = {folder.write("list", sorted_list(true))}, .document_separator = "\n", .order = Order::shuffled});
  const std::string all = text_of(corpus, corpus.all());
  std::u32string symbols;
  for (std::string_view rest = all; !rest.empty();) symbols += take_code_point(rest);
  for (std::int64_t first = 0; first < corpus.size(); first += 37)
    for (const std::int64_t length : {1, 5, 6, 7, 100}) {
      std::vector<std::int64_t> ids(static_cast<std::size_t>(std::min(length, corpus.size() - first)));
      const std::vector<std::int64_t> starts = corpus.copy_with_starts(first, ids);
      for (std::size_t i = 0; i < ids.size(); ++i) {
        ASSERT_EQ(corpus.vocabulary().symbols()[static_cast<std::size_t>(ids[i])],
                  symbols[static_cast<std::size_t>(first) + i]);
        EXPECT_EQ(std::count(starts.begin(), starts.end(), static_cast<std::int64_t>(i)), ids[i] == 0 ? 1 : 0);
      }
    }
}

TEST(CorpusOrder, FilesAreDocuments) {
  const test::TemporaryFolder folder;
  DataConfig config{.files = {folder.write("1", "abc\n"), folder.write("2", ""), folder.write("3", "de")},
                    .document_separator = file_separator,
                    .documents = Documents::files};
  const Corpus corpus(config);
  EXPECT_EQ(text_of(corpus, corpus.all()), std::string("abc\n\x1c\x1c") + "de");
  std::vector<std::int64_t> ids(static_cast<std::size_t>(corpus.size()));
  EXPECT_EQ(corpus.copy_with_starts(0, ids), (std::vector<std::int64_t>{4, 5}));
  config.files.push_back(folder.write("4", "a\x1c"));
  expect_contains(error_of([&] { Corpus{config}; }), "U+001C");
}

TEST(CorpusOrder, NoticesAnEndUnlikeTheRest) {
  const test::TemporaryFolder folder;
  std::string words, mixed;
  for (int i = 0; i < 4000; ++i) {
    words += static_cast<char>('a' + i / 160);
    words += static_cast<char>('a' + i * 7919 % 25);
    mixed += static_cast<char>('a' + i * 7919 % 25);
    mixed += static_cast<char>('a' + i % 160 / 7);
  }
  EXPECT_GT(Corpus({.files = {folder.write("sorted", words)}}).unlikeness(), 0.15);
  EXPECT_LT(Corpus({.files = {folder.write("mixed", mixed)}}).unlikeness(), 0.05);
}
}  // namespace
}  // namespace charnn
