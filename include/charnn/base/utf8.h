#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace charnn {

/// Byte offset of the first place where `text` is not valid UTF-8 (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF), or nothing if it is valid throughout.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// Code point at the front of `text`, which is then shortened by it. `text` must be valid and not empty.
char32_t take_code_point(std::string_view& text);

/// UTF-8 of one code point (1 to 4 bytes).
std::string encode_utf8(char32_t code_point);

/// A symbol as a person can read it in a message: 'a', '\n', U+0007.
std::string printable(char32_t code_point);

}  // namespace charnn
