#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace charnn {
/// True for characters that could control a terminal or disguise text: control characters (C0 and C1, which begin
/// escape sequences), bidirectional overrides (Boucher, Anderson 2021, "Trojan source"), and noncharacters.
bool acts_on_terminal(char32_t code_point) noexcept;

/// Makes a stream of text safe to print: what acts on a terminal (except newline and tab) and invalid UTF-8 are
/// escaped, as \x1b or \u202e. A carriage return before a newline is dropped.
class SafeText {
 public:
  std::string add(std::string_view text);  ///< an incomplete character waits for the rest
  std::string finish();                    ///< what still waits

 private:
  std::string waiting_;
};

/// SafeText in one call.
std::string safe_for_terminal(std::string_view text);

/// A symbol as a person can read it in a message: 'a', '\n', U+0007.
std::string printable(char32_t code_point);

/// Width and height of the terminal `fd`; nothing if it is not a terminal.
std::optional<std::size_t> terminal_columns(int fd);
std::optional<std::size_t> terminal_rows(int fd);

/// Breaks lines longer than `columns` between words; what follows a break is indented by `hang` columns.
std::string wrapped(std::string_view text, std::size_t columns, std::size_t hang);

/// Escapes ASCII control characters and backslashes, as \n, \\, \x1b: for a column or a line.
std::string on_one_line(std::string_view text);
/// The text that was meant: \n, \t, \r and \\ stand for one character each, all else for itself.
std::string unescaped(std::string_view typed);
}  // namespace charnn
