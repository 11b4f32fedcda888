#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace charnn {
/// True for what could act on a terminal, or make text look other than it is: control characters (C0 and C1, with which
/// escape sequences begin), characters that turn the direction of writing (Boucher, Anderson 2021, "Trojan source"),
/// and noncharacters.
bool acts_on_terminal(char32_t code_point) noexcept;

/// Makes a stream of text harmless: what acts on a terminal (but for newline and tab) and bytes that are no UTF-8 are
/// written out, as \x1b or \u202e. A carriage return before a newline is left out.
class SafeText {
 public:
  /// As much as can be told; a character that is not complete yet waits for the rest.
  std::string add(std::string_view text);
  /// What still waits.
  std::string finish();

 private:
  std::string waiting_;
};

/// SafeText in one call.
std::string safe_for_terminal(std::string_view text);

/// A symbol as a person can read it in a message: 'a', '\n', U+0007.
std::string printable(char32_t code_point);

/// Width of the terminal that `fd` is; nothing if it is none.
std::optional<std::size_t> terminal_columns(int fd);

/// Tabs, line breaks, backslashes and other control characters of ASCII as \t, \n, \\, \x1b: for a column or a line.
std::string on_one_line(std::string_view text);
}  // namespace charnn
