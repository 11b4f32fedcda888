#include "core/data/batcher.h"
#include <algorithm>
#include "tests/support.h"

namespace charnn {
namespace {

using test::corpus_of;
using test::error_of;
using test::expect_contains;

constexpr const char* a_to_z = "abcdefghijklmnopqrstuvwxyz";  // id = place

/// Of step t of stream b in the batch's arrays.
std::size_t at(const Batch& batch, std::int64_t t, std::int64_t b) {
  return static_cast<std::size_t>(t * batch.streams + b);
}

TEST(Batcher, StreamsAreContiguousAndWindowsGoOn) {
  const test::TemporaryFolder folder;
  const Corpus corpus = corpus_of(folder, a_to_z);
  Batcher batcher(corpus, corpus.train(), 2, 5);  // 25 inputs: two streams of 12, windows of 5, 5, 2
  EXPECT_EQ(batcher.stream_length(), 12);
  EXPECT_EQ(batcher.windows_per_epoch(), 3);
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::vector<int> used(24, 0);
    std::int64_t expected = 0;
    for (const std::int64_t length : {5, 5, 2}) {
      const Batch batch = batcher.next();
      EXPECT_EQ(batch.starts_epoch, expected == 0);
      ASSERT_EQ(batch.steps, length);
      ASSERT_EQ(batch.streams, 2);
      ASSERT_EQ(batch.input.size(), static_cast<std::size_t>(2 * length));
      ASSERT_EQ(batch.target.size(), batch.input.size());
      for (std::int64_t t = 0; t < length; ++t)
        for (std::int64_t b = 0; b < 2; ++b) {
          const std::int64_t place = batch.input[at(batch, t, b)];
          EXPECT_EQ(place, b * 12 + expected + t);
          EXPECT_EQ(batch.target[at(batch, t, b)], place + 1);
          ++used[static_cast<std::size_t>(place)];
        }
      expected += length;
    }
    EXPECT_EQ(used, std::vector<int>(24, 1)) << "every character of every stream once an epoch";
    EXPECT_EQ(batcher.cursor(), (Cursor{epoch + 1, 0}));
  }
}

TEST(Batcher, JitterMovesTheBordersAndNothingElse) {
  const test::TemporaryFolder folder;
  std::string letters;
  for (int i = 0; i < 2000; ++i) letters += static_cast<char>('a' + i * i % 23);
  const Corpus corpus = corpus_of(folder, letters);
  constexpr std::int64_t T = 20, B = 3;
  std::vector<std::vector<std::int64_t>> lengths;
  Batcher batcher(corpus, corpus.train(), B, T, 0.5, 7), plain(corpus, corpus.train(), B, T);
  const std::int64_t L = batcher.stream_length();
  std::vector<std::int64_t> ids(2000);
  corpus.copy(0, ids);
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    lengths.emplace_back();
    std::int64_t position = 0;
    while (batcher.cursor().epoch == epoch) {
      const Batch batch = batcher.next();
      EXPECT_EQ(batch.starts_epoch, position == 0);
      for (std::int64_t t = 0; t < batch.steps; ++t)
        for (std::int64_t b = 0; b < B; ++b) {
          const auto place = static_cast<std::size_t>(b * L + position + t);
          ASSERT_EQ(batch.input[at(batch, t, b)], ids[place]);
          ASSERT_EQ(batch.target[at(batch, t, b)], ids[place + 1]);
        }
      position += batch.steps;
      lengths.back().push_back(batch.steps);
    }
    EXPECT_EQ(position, L);
    EXPECT_EQ(std::ssize(lengths.back()), plain.windows_per_epoch());
    const auto [least, most] = std::minmax_element(lengths.back().begin(), lengths.back().end() - 1);
    EXPECT_GE(*least, T / 2);
    EXPECT_LE(*most, T + T / 2);
    EXPECT_LT(*least, *most);
  }
  EXPECT_NE(lengths[0], lengths[1]);
  Batcher again(corpus, corpus.train(), B, T, 0.5, 7);
  again.seek({2, lengths[2][0] + lengths[2][1]});
  EXPECT_EQ(again.next().steps, lengths[2][2]);
}

TEST(Batcher, GoesOnFromASavedCursor) {
  const test::TemporaryFolder folder;
  const Corpus corpus = corpus_of(folder, a_to_z);
  Batcher first(corpus, corpus.train(), 2, 5);
  first.next();
  Batcher second(corpus, corpus.train(), 2, 5);
  second.seek(first.cursor());
  EXPECT_EQ(first.next().input, second.next().input);
  error_of([&] { second.seek({0, 12}); });
  error_of([&] { second.seek({-1, 0}); });
}

TEST(Batcher, MarksWhereDocumentsStart) {
  const test::TemporaryFolder folder;
  DataConfig config;
  config.files = {folder.write("text", "ab--cd-e--fgh---ijk--lmn--")};
  config.val_fraction = 0;
  config.document_separator = "--";
  const Corpus corpus(config);
  std::vector<std::int64_t> all;
  for (const std::int64_t at : {3, 9, 14, 15, 20, 25}) all.push_back(at);
  const auto starts = [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int64_t> ids(static_cast<std::size_t>(end - begin)), same = ids;
    std::vector<std::int64_t> found = corpus.copy_with_starts(begin, ids);
    corpus.copy(begin, same);
    EXPECT_EQ(ids, same);
    return found;
  };
  EXPECT_EQ(starts(0, corpus.size()), all) << "the last symbol of every separator";
  EXPECT_EQ(starts(3, 9), std::vector<std::int64_t>{0}) << "which may begin before the stretch";
  EXPECT_EQ(starts(4, 9), std::vector<std::int64_t>{});
  Batcher batcher(corpus, corpus.train(), 2, 5);  // streams of 12
  for (std::int64_t first = 0; first < 12;) {
    const Batch batch = batcher.next();
    ASSERT_EQ(batch.starts.size(), batch.input.size());
    for (std::int64_t t = 0; t < batch.steps; ++t, ++first)
      for (std::int64_t b = 0; b < 2; ++b)
        EXPECT_EQ(batch.starts[at(batch, t, b)], std::count(all.begin(), all.end(), b * 12 + first)) << first << b;
  }
  const Corpus whole = corpus_of(folder, a_to_z);
  EXPECT_TRUE(Batcher(whole, whole.train(), 2, 5).next().starts.empty());
  config.document_separator = "+";
  expect_contains(error_of([&] { Corpus other(config); }), "never occurs in the text");
}

TEST(Batcher, SaysWhatFits) {
  const test::TemporaryFolder folder;
  const Corpus corpus = corpus_of(folder, a_to_z);
  const std::string message = error_of([&] { Batcher(corpus, corpus.train(), 3, 9); });
  expect_contains(message, "26 characters");
  expect_contains(message, "3 x 9 + 1 = 28");
  expect_contains(message, "--batch-size 2 at most");
  expect_contains(message, "--sequence-length 8 at most");
  EXPECT_EQ(Batcher(corpus, corpus.train(), 2, 9).next().steps, 9);
  EXPECT_EQ(Batcher(corpus, corpus.train(), 3, 8).next().steps, 8);
}

}  // namespace
}  // namespace charnn
