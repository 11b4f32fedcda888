#include "charnn/base/utf8.h"

#include <gtest/gtest.h>

#include "charnn/base/random.h"

namespace charnn {
namespace {

TEST(Utf8, FindsTheFirstInvalidByte) {
  EXPECT_EQ(find_invalid_utf8("aé€😀"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2U);
  EXPECT_EQ(find_invalid_utf8("a\xc3"), 1U) << "cut off";
  EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0U) << "overlong";
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0U) << "surrogate";
}

TEST(Utf8, CodePointsSurviveTheRoundTrip) {
  for (const char32_t symbol : {U'a', U'é', U'€', U'😀'}) {
    const std::string text = encode_utf8(symbol) + "x";
    std::string_view rest = text;
    EXPECT_EQ(take_code_point(rest), symbol);
    EXPECT_EQ(rest, "x");
  }
}

TEST(Utf8, PrintableHidesControls) {
  EXPECT_EQ(printable(U'\n'), "'\\n'");
  EXPECT_EQ(printable(0x1b), "U+001B");
  EXPECT_EQ(printable(0x9b), "U+009B");
  EXPECT_EQ(printable(U'é'), "'é'");
}

TEST(Random, IsSplitMix64) {
  // The first outputs for seed 1234567, as the algorithm's reference gives them.
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317U);
  EXPECT_EQ(random.next(), 3203168211198807973U);
  for (int i = 0; i < 1000; ++i) {
    const double number = random.uniform();
    EXPECT_GE(number, 0);
    EXPECT_LT(number, 1);
  }
}

}  // namespace
}  // namespace charnn
