#include "charnn/data/corpus.h"

#include "charnn/base/utf8.h"
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
    EXPECT_EQ(Corpus(config).fingerprint(), corpus.fingerprint())
        << "the text counts, not how it is cut into files";
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

TEST(Corpus, RefusesBadInput) {
  const test::TemporaryFolder folder;
  DataConfig config;
  expect_contains(error_of([&] { Corpus{config}; }), "--data FILE");
  expect_contains(error_of([&] { corpus_of(folder, ""); }), "is empty");
  expect_contains(error_of([&] { corpus_of(folder, "ab\x80"); }), "byte 2");
  config.files = {folder.write("text", "abc")};
  config.val_fraction = 0.6;
  config.test_fraction = 0.4;
  expect_contains(error_of([&] { Corpus{config}; }), "leave nothing to train on");
  const Vocabulary narrow(Tokens::chars, {U'a', U'b'});
  config.test_fraction = 0;
  expect_contains(error_of([&] { Corpus(config, narrow); }), "'c' (position 2)");
}

}  // namespace
}  // namespace charnn
