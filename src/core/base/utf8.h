#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace charnn {
/// Byte offset of the first place where `text` is not valid UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing
/// above U+10FFFF), or nothing if it is valid throughout.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// How many bytes (0 to 3) at the end of `text` begin a character without ending it.
std::size_t unfinished_utf8(std::string_view text);

/// Shortens `text` by its first `count` characters, or by all if it has fewer; returns how many these were. Counts the
/// bytes that begin a character, so any text is safe and only valid text is counted right.
std::int64_t drop_code_points(std::string_view& text, std::int64_t count);

/// Number of characters, counted as drop_code_points() does.
std::int64_t count_code_points(std::string_view text);

/// Code points are below this.
constexpr char32_t code_point_limit = 0x110000;

/// Sets seen[c] to 1 for every code point c of `text`, which must be valid. `seen` has code_point_limit elements.
void mark_code_points(std::string_view text, std::vector<std::uint8_t>& seen);

/// Code point at the front of `text`, which is then shortened by it. `text` must be valid and not empty.
char32_t take_code_point(std::string_view& text);

/// UTF-8 of one code point (1 to 4 bytes).
std::string encode_utf8(char32_t code_point);
}  // namespace charnn
