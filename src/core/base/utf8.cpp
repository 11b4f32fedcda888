#include "core/base/utf8.h"
#include <algorithm>
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
}  // namespace

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  constexpr std::size_t group = 256;  // of which most are all ASCII, in most texts
  const char* const begin = text.data();
  while (!text.empty()) {
    std::string_view part = text.substr(0, group);
    if (part.size() < text.size()) part.remove_suffix(unfinished_utf8(part));
    const char* const end = part.data() + part.size();
    if (!is_ascii(part))
      if (const char* found = utf8::find_invalid(part.data(), end); found != end)
        return static_cast<std::size_t>(found - begin);
    text.remove_prefix(part.size());
  }
  return std::nullopt;
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
