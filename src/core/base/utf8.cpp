#include "core/base/utf8.h"
#include <algorithm>
#include <array>
#include <iterator>
#include <utf8.h>

namespace charnn {
namespace {
bool is_ascii(std::string_view text) {
  unsigned together = 0;
  for (const char byte : text) together |= static_cast<unsigned char>(byte);
  return together < 0x80;
}

/// False for the second and later bytes of a character.
bool begins_character(char byte) { return static_cast<signed char>(byte) >= -0x40; }

/// States of an automaton that accepts valid UTF-8: what may follow. Each is the place of its 6 bits in a row of the
/// table below, so that a step is one shift, without a branch for the processor to guess.
enum State : unsigned {
  character = 0,  // a new one
  one_more = 6,   // bytes 80..bf that the present one still needs
  two_more = 12,
  three_more = 18,
  after_e0 = 24,  // a0..bf: less would be overlong
  after_ed = 30,  // 80..9f: more would be a surrogate
  after_f0 = 36,  // 90..bf: less would be overlong
  after_f4 = 42,  // 80..8f: more would be above U+10FFFF
  invalid = 48,
};

constexpr State after_first(unsigned byte) {
  if (byte < 0x80) return character;
  if (byte < 0xc2 || byte > 0xf4) return invalid;
  if (byte < 0xe0) return one_more;
  if (byte < 0xf0) return byte == 0xe0 ? after_e0 : byte == 0xed ? after_ed : two_more;
  return byte == 0xf0 ? after_f0 : byte == 0xf4 ? after_f4 : three_more;
}

/// The next state for each present one, if `byte` comes.
constexpr std::uint64_t next_states(unsigned byte) {
  const auto row = [&](State now, unsigned low, unsigned high, State next) {
    return std::uint64_t{byte >= low && byte <= high ? next : invalid} << now;
  };
  return std::uint64_t{after_first(byte)} << character | row(one_more, 0x80, 0xbf, character) |
         row(two_more, 0x80, 0xbf, one_more) | row(three_more, 0x80, 0xbf, two_more) |
         row(after_e0, 0xa0, 0xbf, one_more) | row(after_ed, 0x80, 0x9f, one_more) |
         row(after_f0, 0x90, 0xbf, two_more) | row(after_f4, 0x80, 0x8f, two_more) | std::uint64_t{invalid} << invalid;
}

constexpr auto next_table = [] {
  std::array<std::uint64_t, 256> table{};
  for (unsigned byte = 0; byte < table.size(); ++byte) table[byte] = next_states(byte);
  return table;
}();

bool is_valid(std::string_view text) {
  constexpr std::size_t group = 256;  // of which most are all ASCII, in most texts
  std::uint64_t state = character;    // in the lowest 6 bits; above them, what the shift left
  for (; !text.empty(); text.remove_prefix(std::min(group, text.size()))) {
    const std::string_view part = text.substr(0, group);
    if ((state & 63) == character && is_ascii(part)) continue;
    for (const char byte : part) state = next_table[static_cast<unsigned char>(byte)] >> (state & 63);
  }
  return (state & 63) == character;
}
}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  if (is_valid(text)) return std::nullopt;
  return static_cast<std::size_t>(utf8::find_invalid(text.data(), text.data() + text.size()) - text.data());
}

std::size_t unfinished_utf8(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (!begins_character(static_cast<char>(byte))) continue;
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

std::int64_t count_code_points(std::string_view text) {
  return drop_code_points(text, static_cast<std::int64_t>(text.size()));
}

std::int64_t drop_code_points(std::string_view& text, std::int64_t count) {
  constexpr std::int64_t group = 64;  // counted at once, which compiles to vector instructions
  const char* at = text.data();
  const char* const end = at + text.size();
  std::int64_t dropped = 0;
  while (end - at >= group && count - dropped >= group) {
    int here = 0;
    for (std::int64_t i = 0; i < group; ++i) here += begins_character(at[i]) ? 1 : 0;
    dropped += here;
    at += group;
  }
  for (; at != end; ++at) {  // from the midst of a character, maybe
    if (!begins_character(*at)) continue;
    if (dropped == count) break;
    ++dropped;
  }
  text.remove_prefix(static_cast<std::size_t>(at - text.data()));
  return dropped;
}

void mark_code_points(std::string_view text, std::vector<std::uint8_t>& seen) {
  std::uint8_t* const marks = seen.data();
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    const unsigned byte = static_cast<unsigned char>(*at);
    if (byte < 0x80) {
      marks[byte] = 1;
      at += 1;
    } else if (byte < 0xe0) {  // the most frequent after ASCII
      marks[(byte & 0x1f) << 6 | (static_cast<unsigned char>(at[1]) & 0x3f)] = 1;
      at += 2;
    } else {
      marks[utf8::unchecked::next(at)] = 1;
    }
  }
}

char32_t take_code_point(std::string_view& text) {
  const char* next = text.data();
  const char32_t code_point = utf8::unchecked::next(next);
  text.remove_prefix(static_cast<std::size_t>(next - text.data()));
  return code_point;
}

std::string encode_utf8(char32_t code_point) {
  std::string text;
  utf8::append(code_point, std::back_inserter(text));
  return text;
}
}  // namespace charnn
