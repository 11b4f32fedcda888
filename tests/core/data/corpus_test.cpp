#include "core/data/corpus.h"
#include "core/base/utf8.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::corpus_of;
using test::error_of;
using test::expect_contains;

std::vector<std::int64_t> ids_of(const Corpus& corpus) {
  std::vector<std::int64_t> ids(static_cast<std::size_t>(corpus.size()));
  corpus.copy(0, ids);
  return ids;
}

TEST(Corpus, NumbersCharactersInOrderOfCodePoint) {
  const test::TemporaryFolder folder;
  const Corpus corpus = corpus_of(folder, "bé\na");
  EXPECT_EQ(corpus.vocabulary().symbols(), (std::vector<char32_t>{U'\n', U'a', U'b', U'é'}));
  EXPECT_EQ(ids_of(corpus), (std::vector<std::int64_t>{2, 3, 0, 1}));
}

TEST(Corpus, BytesAreTheirOwnNumbers) {
  const test::TemporaryFolder folder;
  const Corpus corpus = corpus_of(folder, "a\xff", 0, Tokens::bytes);
  EXPECT_EQ(corpus.vocabulary().size(), 256);
  EXPECT_EQ(ids_of(corpus), (std::vector<std::int64_t>{'a', 255}));
}

TEST(Corpus, JoinsFilesInTheOrderGiven) {
  const test::TemporaryFolder folder;
  for (const Tokens tokens : {Tokens::chars, Tokens::bytes}) {
    DataConfig config;
    config.tokens = tokens;
    config.files = {folder.write("2", "cd"), folder.write("empty", ""), folder.write("1", "ab")};
    const Corpus corpus(config);
    std::string text;
    for (const std::int64_t id : ids_of(corpus)) text += corpus.vocabulary().text(id);
    EXPECT_EQ(text, "cdab");
    std::vector<std::int64_t> across(2);
    corpus.copy(1, across);
    EXPECT_EQ(corpus.vocabulary().text(across[0]) + corpus.vocabulary().text(across[1]), "da");
    EXPECT_EQ(corpus.fingerprint().bytes, 4);
    config.files = {folder.write("all", "cdab")};
    EXPECT_EQ(Corpus(config).fingerprint(), corpus.fingerprint()) << "the text counts, not how it is cut into files";
  }
}

/// A little over 3 MiB, so several pieces, with characters of 1 to 4 bytes in an order without a short period.
std::u32string long_text() {
  constexpr std::u32string_view alphabet = U"a\né–ж漢😀zß";
  std::u32string text;
  for (std::uint32_t i = 0; i < 1'400'000; ++i) text += alphabet[(i * 2654435761U >> 16) % alphabet.size()];
  return text;
}

std::string utf8_of(std::u32string_view text) {
  std::string bytes;
  for (const char32_t symbol : text) bytes += encode_utf8(symbol);
  return bytes;
}

TEST(Corpus, CopiesFromAnyPlaceOfALongText) {
  const test::TemporaryFolder folder;
  const std::u32string text = long_text();
  const std::string bytes = utf8_of(text);
  ASSERT_NE(bytes[1 << 20] & 0x80, 0) << "the text must have a character where a piece ends";
  const Corpus corpus = corpus_of(folder, bytes);
  ASSERT_EQ(corpus.size(), static_cast<std::int64_t>(text.size()));
  const auto expect_copy = [&](std::size_t first, std::size_t count) {
    std::vector<std::int64_t> ids(count);
    corpus.copy(static_cast<std::int64_t>(first), ids);
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_EQ(corpus.vocabulary().symbols()[static_cast<std::size_t>(ids[i])], text[first + i]) << first + i;
  };
  expect_copy(0, text.size());
  for (std::size_t first = 0; first + 5000 <= text.size(); first += 3571) expect_copy(first, 1 + first % 5000);
  for (const std::size_t first : {4095U, 4096U, 4097U, 64U * 4096U - 1}) expect_copy(first, 2);
  for (std::size_t count = 0; count < 5; ++count) expect_copy(text.size() - count, count);
}

TEST(Corpus, CutsNoCharacterWhereAPieceEnds) {
  const test::TemporaryFolder folder;
  for (const std::string character : {"é", "漢", "😀"})
    for (std::size_t before = 0; before <= character.size(); ++before) {
      const std::string text = std::string((1 << 20) - before, 'a') + character + "b";
      const Corpus corpus = corpus_of(folder, text);
      EXPECT_EQ(corpus.size(), static_cast<std::int64_t>(text.size() - character.size() + 1));
      std::vector<std::int64_t> last(3);
      corpus.copy(corpus.size() - 3, last);
      EXPECT_EQ(last, (std::vector<std::int64_t>{0, 2, 1})) << character << " " << before;
    }
}

TEST(Corpus, JoinsFilesOfDifferentAlphabets) {
  const test::TemporaryFolder folder;
  const std::vector<std::u32string> texts = {U"plain", U"жук é", U"", U"漢字😀", U"end"};
  DataConfig config;
  std::u32string all;
  for (const std::u32string& text : texts) {
    config.files.push_back(folder.write(std::to_string(config.files.size()), utf8_of(text)));
    all += text;
  }
  const Corpus corpus(config);
  for (std::size_t first = 0; first < all.size(); ++first)
    for (std::size_t count = 1; first + count <= all.size(); ++count) {
      std::vector<std::int64_t> ids(count);
      corpus.copy(static_cast<std::int64_t>(first), ids);
      std::u32string found;
      for (const std::int64_t id : ids) found += corpus.vocabulary().symbols()[static_cast<std::size_t>(id)];
      EXPECT_EQ(utf8_of(found), utf8_of(all.substr(first, count)));
    }
}

TEST(Corpus, SaysThatAFileHasChanged) {
  const test::TemporaryFolder folder;
  const std::string long_enough = "éa" + std::string(10000, 'b');
  std::vector<std::int64_t> ids(100);
  for (const Tokens tokens : {Tokens::chars, Tokens::bytes}) {
    const Corpus corpus = corpus_of(folder, long_enough, 0, tokens);
    std::filesystem::resize_file(folder / "corpus.txt", 5000);
    expect_contains(error_of([&] { corpus.copy(0, std::span(ids).first(1)); }), "has changed");
    const std::string error = error_of([&] { corpus.copy(9000, ids); });
    expect_contains(error, "corpus.txt has become shorter");
    expect_contains(error, "10003 bytes");
    expect_contains(error, "restore the file");
  }
  for (const std::string& text : {long_enough, std::string(5000, 'a')})
    for (const char* other : {"c", "é", "\x80", "\xf0"}) {
      const Corpus corpus = corpus_of(folder, text);
      folder.write("corpus.txt", std::string(text.size() - 2, 'a') + other + other);
      expect_contains(error_of([&] { corpus.copy(corpus.size() - 100, ids); }), "has changed");
    }
}

TEST(Corpus, LargeVocabulariesKeepTheirNumbers) {
  const test::TemporaryFolder folder;
  for (const char32_t count : {256U, 257U, 65537U}) {
    std::string text;
    for (char32_t i = 0; i < count; ++i) text += encode_utf8(0x10000 + i);
    const Corpus corpus = corpus_of(folder, text);
    EXPECT_EQ(corpus.vocabulary().size(), static_cast<std::int64_t>(count));
    std::vector<std::int64_t> last(1);
    corpus.copy(corpus.size() - 1, last);
    EXPECT_EQ(last[0], static_cast<std::int64_t>(count) - 1);
  }
}

TEST(Corpus, SplitsAreContiguousAndComplete) {
  const test::TemporaryFolder folder;
  DataConfig config;
  config.files = {folder.write("text", std::string(1000, 'x'))};
  config.val_fraction = 0.1;
  config.test_fraction = 0.05;
  const Corpus corpus(config);
  EXPECT_EQ(corpus.train().begin, 0);
  EXPECT_EQ(corpus.train().end, corpus.val().begin);
  EXPECT_EQ(corpus.val().end, corpus.test().begin);
  EXPECT_EQ(corpus.test().end, 1000);
  EXPECT_EQ(corpus.val().size(), 100);
  EXPECT_EQ(corpus.test().size(), 50);
}

TEST(Corpus, LeavesOutOrReplacesUnknownSymbols) {
  const test::TemporaryFolder folder;
  const Vocabulary known(Tokens::chars, {U' ', U'a', U'b', U'é'});
  for (const bool wide : {false, true}) {
    std::string text, kept, spaced;
    for (std::uint32_t i = 0; i < 9000; ++i) {
      const std::uint32_t kind = (i * 2654435761U) >> 29;
      const std::string symbol = kind < 3 ? "x" : kind == 3 && wide ? "é" : kind < 6 ? "a" : "b";
      text += i >= 3000 && i < 6000 ? "x" : symbol;  // more than two blocks of nothing known
      if (text.back() != 'x') kept += symbol;
      spaced += text.back() == 'x' ? " " : symbol;
    }
    DataConfig config;
    config.files = {folder.write("text", text + "\n")};
    for (const auto& [policy, expected] : {std::pair(OnUnknown::skip, kept), std::pair(OnUnknown::replace, spaced)}) {
      const Corpus corpus(config, known, policy);
      const std::vector<std::int64_t> ids = known.encode(expected, "expected");
      EXPECT_EQ(ids_of(corpus), ids);
      expect_contains(corpus.note(), "'x' (position 0");
      for (const std::int64_t first : {1, 1023, 1500, 2047}) {
        std::vector<std::int64_t> some(500);
        corpus.copy(first, some);
        EXPECT_TRUE(std::equal(some.begin(), some.end(), ids.begin() + first));
      }
    }
    expect_contains(error_of([&] { Corpus(config, known, OnUnknown::error); }), "'x' (position 0");
  }
}

TEST(Corpus, OnlyATrailingNewlineMayBeUnknown) {
  const test::TemporaryFolder folder;
  const Vocabulary known(Tokens::chars, {U'a', U'b'});
  DataConfig config;
  for (const char* end : {"\n", "\r\n", ""}) {
    config.files = {folder.write("text", std::string("ab") + end)};
    EXPECT_EQ(ids_of(Corpus(config, known, OnUnknown::error)), (std::vector<std::int64_t>{0, 1}));
  }
  config.files = {folder.write("text", "a\nb\n")};
  expect_contains(error_of([&] { Corpus(config, known, OnUnknown::error); }), "'\\n' (position 1)");
  expect_contains(error_of([&] { Corpus(config, known); }), "'\\n' (position 1, 2 times)");
  config.files = {folder.write("text", "ab\rab")};
  expect_contains(Corpus(config).note(), "CR alone");
}

TEST(Corpus, RefusesBadInput) {
  const test::TemporaryFolder folder;
  DataConfig config;
  expect_contains(error_of([&] { Corpus{config}; }), "--data FILE");
  expect_contains(error_of([&] { corpus_of(folder, ""); }), "is empty");
  expect_contains(error_of([&] { corpus_of(folder, "ab\x80"); }), "byte 2");
  const std::string mebibyte = std::string(1 << 20, 'a');
  expect_contains(error_of([&] { corpus_of(folder, mebibyte + "bc\xc3("); }), "byte 1048578 (value 0xc3)");
  expect_contains(error_of([&] { corpus_of(folder, mebibyte.substr(1) + "\xc3("); }), "byte 1048575 ");
  expect_contains(error_of([&] { corpus_of(folder, mebibyte + "é\xe6\xbc"); }), "byte 1048578 ");
  config.files = {folder.write("text", "abc")};
  config.val_fraction = 0.6;
  config.test_fraction = 0.4;
  expect_contains(error_of([&] { Corpus{config}; }), "leave nothing to train on");
  const Vocabulary narrow(Tokens::chars, {U'a', U'b'});
  config.test_fraction = 0;
  expect_contains(error_of([&] { Corpus(config, narrow); }), "'c' (position 2)");
  config.files = {folder.write("first", mebibyte + "b"), folder.write("second", "acac")};
  expect_contains(error_of([&] { Corpus(config, narrow); }), "the corpus has a character");
  expect_contains(error_of([&] { Corpus(config, narrow); }), "'c' (position 1048578, 2 times)");
}

}  // namespace
}  // namespace charnn
