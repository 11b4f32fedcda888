#include "core/data/vocabulary.h"
#include <chrono>
#include "core/base/utf8.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

TEST(Vocabulary, EncodesAndDecodes) {
  const Vocabulary vocabulary(Tokens::chars, {U'a', U'b', U'é'});
  EXPECT_EQ(vocabulary.encode("béa", "prompt"), (std::vector<std::int64_t>{1, 2, 0}));
  EXPECT_EQ(vocabulary.text(2), "é");
}

TEST(Vocabulary, NamesEveryUnknownCharacter) {
  const Vocabulary vocabulary(Tokens::chars, {U'a', U'b'});
  const std::string message = error_of([&] { vocabulary.encode("aXbéX", "the prompt"); });
  expect_contains(message, "the prompt has 2 characters");
  expect_contains(message, "'X' (position 1, 2 times)");
  expect_contains(message, "'é' (position 3)");
}

TEST(Vocabulary, ManyUnknownCharactersTakeNoMinutes) {
  const Vocabulary vocabulary(Tokens::chars, {U'a'});
  constexpr char32_t first = 0xe000, last = first + 300'000;
  std::string text;
  for (char32_t symbol = last; symbol > first; --symbol) text += encode_utf8(symbol);
  const auto begun = std::chrono::steady_clock::now();
  const std::string message = error_of([&] { vocabulary.encode(text, "the prompt"); });
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  expect_contains(message, "the prompt has 300000 characters");
  expect_contains(message, "(position 299999), ");
  expect_contains(message, " and 299980 more");
}

TEST(Vocabulary, PointsToTheInvalidByte) {
  const Vocabulary vocabulary(Tokens::chars, {U'a'});
  const std::string message = error_of([&] { vocabulary.encode("aa\xff", "the prompt"); });
  expect_contains(message, "invalid UTF-8 at byte 2 (value 0xff)");
  expect_contains(message, "--tokens bytes");
}

TEST(Vocabulary, BytesKnowEveryByte) {
  const Vocabulary vocabulary = Vocabulary::all_bytes();
  EXPECT_EQ(vocabulary.size(), 256);
  EXPECT_EQ(vocabulary.encode("\xff\x01", "prompt"), (std::vector<std::int64_t>{255, 1}));
  EXPECT_EQ(vocabulary.text(255), "\xff");
}

TEST(Vocabulary, LeavesOutOrReplacesWhatItLacks) {
  const Vocabulary vocabulary(Tokens::chars, {U' ', U'a', U'b'}), no_space(Tokens::chars, {U'a', U'b'});
  const std::string text = "aébcc";
  using Ids = std::vector<std::int64_t>;
  const EncodedText skipped = encode(vocabulary, text, "the prompt", OnUnknown::skip);
  EXPECT_EQ(skipped.ids, (Ids{1, 2}));
  expect_contains(skipped.note,
                  "the prompt has characters that the model's vocabulary lacks; left out: 'c' (position 3, 2 times)");
  expect_contains(skipped.note, "(position 1)");
  const EncodedText replaced = encode(vocabulary, text, "the prompt", OnUnknown::replace);
  EXPECT_EQ(replaced.ids, (Ids{1, 0, 2, 0, 0}));
  expect_contains(replaced.note, "replaced by a space");
  EXPECT_EQ(encode(no_space, text, "the prompt", OnUnknown::skip).ids, (Ids{0, 1}));
  EXPECT_EQ(encode(vocabulary, "ab", "the prompt", OnUnknown::skip).note, "");
  expect_contains(error_of([&] { encode(no_space, text, "the prompt", OnUnknown::replace); }), "vocabulary lacks");
  expect_contains(error_of([&] { encode(vocabulary, text, "the prompt", OnUnknown::error); }), "vocabulary lacks");
}

TEST(Vocabulary, RefusesWhatCannotBe) {
  error_of([] { Vocabulary(Tokens::chars, {}); });
  error_of([] { Vocabulary(Tokens::chars, {U'b', U'a'}); });
  error_of([] { Vocabulary(Tokens::bytes, {0x100}); });
  error_of([] { Vocabulary(Tokens::chars, {0x110000}); });
  error_of([] { Vocabulary(Tokens::chars, {U'a', 0xdfff, 0xe000}); });
}

}  // namespace
}  // namespace charnn
