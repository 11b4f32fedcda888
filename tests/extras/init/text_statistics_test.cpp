#include "extras/init/text_statistics.h"
#include <cmath>
#include "core/base/random.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::corpus_of;
using test::TemporaryFolder;

TEST(TextShape, CountsLinesAndOddities) {
  const TemporaryFolder folder;
  const TextShape shape = shape_of({folder.write("a", "one\r\ntwo three\n\nfour"), folder.write("b", "th\n")});
  EXPECT_EQ(shape.bytes, 23);
  EXPECT_EQ(shape.lines, 4);
  EXPECT_EQ(shape.longest_line, 9);
  EXPECT_TRUE(shape.ends_with_newline);
  EXPECT_EQ(shape.carriage_returns, 1);
  EXPECT_TRUE(shape.utf8);
  EXPECT_EQ(shape_of({folder.write("c", "no newline")}).lines, 1);
  EXPECT_EQ(shape_of({folder.write("d", std::string("\0\0x", 3))}).nuls, 2);
}

TEST(TextShape, KnowsUtf8AcrossPieces) {
  const TemporaryFolder folder;
  std::string text = "x";
  while (text.size() < (5U << 20)) text += "\xe4\xb8\xad";  // pieces end within characters
  EXPECT_TRUE(shape_of({folder.write("a", text)}).utf8);
  EXPECT_FALSE(shape_of({folder.write("b", text + "\xe4\xb8")}).utf8) << "cut off";
  EXPECT_FALSE(shape_of({folder.write("c", "\xff" + text)}).utf8);
}

TEST(TextEntropy, IsThatOfTheDefinition) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 500; ++i) text += "ab";
  const TextEntropy alternating = entropy_of(corpus_of(folder, text, 0.1));
  EXPECT_NEAR(alternating.bits[0], 1, 1e-12);
  EXPECT_NEAR(alternating.bits[1], 0, 1e-12);
  EXPECT_EQ(alternating.contexts[0], 1);
  EXPECT_EQ(alternating.contexts[1], 2);
  EXPECT_EQ(alternating.chars, 1000);

  // "aabb" again and again: two kinds of pairs after each letter, each context of two decides.
  text.clear();
  for (int i = 0; i < 500; ++i) text += "aabb";
  const TextEntropy four = entropy_of(corpus_of(folder, text, 0.1));
  EXPECT_NEAR(four.bits[1], 1, 1e-5);
  EXPECT_NEAR(four.bits[2], 0, 1e-12);
}

TEST(TextEntropy, OfNoiseIsThatOfTheAlphabet) {
  const TemporaryFolder folder;
  Random random(1);
  std::string text;
  for (int i = 0; i < 3'000'000; ++i) text += static_cast<char>('a' + random.next() % 8);
  const TextEntropy noise = entropy_of(corpus_of(folder, text, 0.1));
  EXPECT_EQ(noise.chars, 1 << 20) << "a sample";
  for (const double bits : noise.bits) EXPECT_NEAR(bits, 3, 0.01);
  EXPECT_NEAR(noise.held_out, std::log(8.0), 0.02);
}

TEST(TextEntropy, HeldOutTextIsNotKnownByHeart) {
  const TemporaryFolder folder;
  Random random(2);
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += static_cast<char>('a' + random.next() % 26);
  const TextEntropy noise = entropy_of(corpus_of(folder, text, 0.1));
  EXPECT_LT(noise.bits[3], 1) << "four letters seldom repeat in so short a text";
  EXPECT_LT(noise.held_out, std::log(26.0) + 0.8);
  EXPECT_GT(noise.held_out, std::log(26.0));
}

}  // namespace
}  // namespace charnn
