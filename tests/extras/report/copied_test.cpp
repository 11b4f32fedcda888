#include "extras/report/copied.h"
#include <cmath>
#include <gtest/gtest.h>
#include "core/base/random.h"
#include "tests/support.h"

namespace charnn {
namespace {

std::string letters(std::uint64_t seed, std::size_t length, std::uint64_t kinds) {
  Random random(seed);
  std::string text;
  while (text.size() < length) text += static_cast<char>('a' + random.next() % kinds);
  return text;
}

TEST(FindCopies, AsComparingEveryPlaceDoes) {
  const test::TemporaryFolder folder;
  for (const std::uint64_t kinds : {2U, 3U, 4U}) {
    const std::string corpus_text = letters(kinds, 3000, kinds) + "abcd";
    std::string text = letters(kinds + 9, 300, kinds);
    text.insert(100, corpus_text.substr(1234, 40));  // a copy that is long enough for all lengths
    const Corpus corpus = test::corpus_of(folder, corpus_text);
    const CopyReport report = find_copies(corpus.vocabulary().encode(text, "text"), corpus);
    std::size_t longest = 0;
    for (std::size_t begin = 0; begin < text.size(); ++begin)
      while (begin + longest < text.size() && corpus_text.find(text.substr(begin, longest + 1)) != std::string::npos)
        ++longest;
    EXPECT_EQ(report.longest, static_cast<std::int64_t>(longest));
    EXPECT_EQ(text.substr(static_cast<std::size_t>(report.longest_in_text), longest),
              corpus_text.substr(static_cast<std::size_t>(report.longest_in_corpus), longest));
    for (std::size_t i = 0; i < report.lengths.size(); ++i) {
      const auto n = static_cast<std::size_t>(report.lengths[i]);
      double met = 0;
      for (std::size_t begin = 0; begin + n <= text.size(); ++begin)
        met += corpus_text.find(text.substr(begin, n)) != std::string::npos ? 1 : 0;
      EXPECT_GT(met, 0);
      EXPECT_DOUBLE_EQ(report.shares[i], met / static_cast<double>(text.size() - n + 1)) << n;
    }
  }
}

TEST(FindCopies, ShortAndStrangeTexts) {
  const test::TemporaryFolder folder;
  const Corpus corpus = test::corpus_of(folder, "abcabcabcabc");
  const CopyReport none = find_copies({}, corpus);
  EXPECT_EQ(none.longest, 0);
  EXPECT_TRUE(std::isnan(none.shares[0]));
  const CopyReport one = find_copies(std::vector<std::int64_t>{2}, corpus);
  EXPECT_EQ(one.longest, 1);
  EXPECT_EQ(one.longest_in_corpus, 2);
  const std::vector<std::int64_t> all = corpus.vocabulary().encode("abcabcabcabc", "text");
  EXPECT_EQ(find_copies(all, corpus).longest, 12);
  EXPECT_EQ(find_copies(all, corpus).shares[0], 1);
}

}  // namespace
}  // namespace charnn
