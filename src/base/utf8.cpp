#include "charnn/base/utf8.h"

#include <iterator>

#include <fmt/format.h>
#include <utf8.h>

namespace charnn {

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  const char* invalid = utf8::find_invalid(text.data(), text.data() + text.size());
  if (invalid == text.data() + text.size()) return std::nullopt;
  return static_cast<std::size_t>(invalid - text.data());
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

std::string printable(char32_t code_point) {
  if (code_point == U'\n') return "'\\n'";
  if (code_point == U'\t') return "'\\t'";
  if (code_point == U'\r') return "'\\r'";
  // C0 and C1 controls could act on the terminal.
  if (code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0))
    return fmt::format("U+{:04X}", static_cast<unsigned>(code_point));
  return fmt::format("'{}'", encode_utf8(code_point));
}

}  // namespace charnn
