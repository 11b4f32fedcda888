#include "core/base/utf8.h"
#include <algorithm>
#include <gtest/gtest.h>
#include "core/base/random.h"

namespace charnn {
namespace {

TEST(Utf8, FindsTheFirstInvalidByte) {
  EXPECT_EQ(find_invalid_utf8("aé€😀"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("ab\xff"), 2U);
  EXPECT_EQ(find_invalid_utf8("a\xc3"), 1U) << "cut off";
  EXPECT_EQ(find_invalid_utf8("\xc0\xaf"), 0U) << "overlong";
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0U) << "surrogate";
}

TEST(Utf8, FindsTheFirstInvalidByteInALongText) {
  for (std::size_t before = 0; before < 20; ++before) {
    const std::string text = std::string(before, 'x') + "é" + std::string(20 - before, 'x');
    EXPECT_EQ(find_invalid_utf8(text + "€"), std::nullopt);
    EXPECT_EQ(find_invalid_utf8(text + "\x80"), text.size());
    EXPECT_EQ(find_invalid_utf8(text + "é€\xe2\x82x"), text.size() + 5);
  }
}

TEST(Utf8, AcceptsTheSameAsTheDefinition) {
  // Every code point, and every way to write one (or what is none) in 1 to 4 bytes, valid only if the shortest.
  for (std::uint32_t value = 0; value < 0x120000; ++value) {
    const auto byte = [&](unsigned lead, int shift) { return static_cast<char>(lead | (value >> shift)); };
    const auto more = [&](int shift) { return static_cast<char>(0x80 | (value >> shift & 0x3f)); };
    const bool possible = value < code_point_limit && (value < 0xd800 || value > 0xdfff);
    const auto expect = [&](const std::string& text, bool shortest) {
      ASSERT_EQ(!find_invalid_utf8(text), possible && shortest) << value << " in " << text.size() << " bytes";
    };
    if (value < 0x80) expect({byte(0, 0)}, true);
    if (value < 0x800) expect({byte(0xc0, 6), more(0)}, value >= 0x80);
    if (value < 0x10000) expect({byte(0xe0, 12), more(6), more(0)}, value >= 0x800);
    expect({byte(0xf0, 18), more(12), more(6), more(0)}, value >= 0x10000);
  }
  for (unsigned first = 0x80; first < 0x100; ++first)  // one byte, and no continuation
    for (const char* rest : {"", "a", "aaa", "\xc3\xa9"}) {
      EXPECT_EQ(find_invalid_utf8(std::string(1, static_cast<char>(first)) + rest), 0U) << first;
    }
}

TEST(Utf8, KnowsAnUnfinishedCharacter) {
  for (const std::string character : {"a", "é", "€", "😀"})
    for (std::size_t length = 0; length <= character.size(); ++length)
      EXPECT_EQ(unfinished_utf8("ß" + character.substr(0, length)), length < character.size() ? length : 0U);
  EXPECT_EQ(unfinished_utf8("\x80\x80\x80\x80"), 0U) << "begins nothing";
  EXPECT_EQ(unfinished_utf8(""), 0U);
}

TEST(Utf8, DropsAndMarksCodePoints) {
  std::string text;
  std::vector<std::string> from{""};  // from[n]: the last n characters
  for (int i = 0; i < 300; ++i) {
    text.insert(0, std::vector<std::string>{"a", "é", "€", "😀"}[static_cast<std::size_t>(i * 7 % 11 % 4)]);
    from.push_back(text);
  }
  for (std::int64_t count = 0; count <= 300; ++count) {
    std::string_view rest = text;
    EXPECT_EQ(drop_code_points(rest, count), count);
    EXPECT_EQ(rest, from[static_cast<std::size_t>(300 - count)]);
  }
  std::string_view rest = text;
  EXPECT_EQ(drop_code_points(rest, 1000), 300);
  std::vector<std::uint8_t> seen(code_point_limit);
  mark_code_points(text, seen);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 4);
  for (const char32_t symbol : {U'a', U'é', U'€', U'😀'}) EXPECT_EQ(seen[symbol], 1);
}

TEST(Utf8, CodePointsSurviveTheRoundTrip) {
  for (const char32_t symbol : {U'a', U'é', U'€', U'😀'}) {
    const std::string text = encode_utf8(symbol) + "x";
    std::string_view rest = text;
    EXPECT_EQ(take_code_point(rest), symbol);
    EXPECT_EQ(rest, "x");
  }
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
