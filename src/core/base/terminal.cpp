#include "core/base/terminal.h"
#include <algorithm>
#include <sys/ioctl.h>
#include <utility>
#include <fmt/format.h>
#include "core/base/utf8.h"

namespace charnn {
namespace {
std::string escaped(char32_t code_point) {
  const auto number = static_cast<unsigned>(code_point);
  return number < 0x80 ? fmt::format("\\x{:02x}", number) : fmt::format("\\u{:04x}", number);
}

void append_safe(std::string& out, std::string_view valid) {
  while (!valid.empty()) {
    const char32_t symbol = take_code_point(valid);
    if (symbol == U'\r' && !valid.empty() && valid.front() == '\n') continue;
    if (symbol != U'\n' && symbol != U'\t' && acts_on_terminal(symbol))
      out += escaped(symbol);
    else
      out += encode_utf8(symbol);
  }
}

/// Spaces other than the usual one, joiners, marks of direction, soft hyphens, byte-order marks.
bool is_invisible(char32_t c) {
  return c == 0xa0 || c == 0xad || c == 0x61c || c == 0x1680 || c == 0x180e || (c >= 0x2000 && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0x3000 || c == 0x3164 ||
         (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
}

std::optional<std::size_t> size_of(int fd, unsigned short winsize::*member) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.*member == 0) return std::nullopt;
  return size.*member;
}
}  // namespace

bool acts_on_terminal(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
         (c & 0xfffe) == 0xfffe;
}

std::string SafeText::add(std::string_view text) {
  waiting_ += text;
  const std::string all = std::exchange(waiting_, {});
  std::string_view rest = all;
  std::size_t kept = unfinished_utf8(rest);
  if (kept == 0 && !rest.empty() && rest.back() == '\r') kept = 1;
  waiting_ = rest.substr(rest.size() - kept);
  rest.remove_suffix(kept);
  std::string safe;
  while (!rest.empty()) {
    const std::size_t valid = find_invalid_utf8(rest).value_or(rest.size());
    append_safe(safe, rest.substr(0, valid));
    rest.remove_prefix(valid);
    if (rest.empty()) break;
    safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(rest.front()));
    rest.remove_prefix(1);
  }
  return safe;
}

std::string SafeText::finish() {
  std::string safe;
  for (const char byte : std::exchange(waiting_, {}))
    safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return safe;
}

std::string safe_for_terminal(std::string_view text) {
  SafeText safe;
  std::string shown = safe.add(text);
  return shown + safe.finish();
}

std::string printable(char32_t code_point) {
  if (code_point == U'\n') return "'\\n'";
  if (code_point == U'\t') return "'\\t'";
  if (code_point == U'\r') return "'\\r'";
  if (acts_on_terminal(code_point) || is_invisible(code_point))
    return fmt::format("U+{:04X}", static_cast<unsigned>(code_point));
  return fmt::format("'{}'", encode_utf8(code_point));
}

std::optional<std::size_t> terminal_columns(int fd) { return size_of(fd, &winsize::ws_col); }
std::optional<std::size_t> terminal_rows(int fd) { return size_of(fd, &winsize::ws_row); }

std::string wrapped(std::string_view text, std::size_t columns, std::size_t hang) {
  std::string out;
  while (!text.empty()) {
    std::string_view line = text.substr(0, std::min(text.find('\n'), text.size()));
    text.remove_prefix(line.size());
    for (std::size_t room = columns; count_code_points(line) > static_cast<std::int64_t>(room);
         room = columns > hang ? columns - hang : columns) {
      std::string_view beyond = line;
      drop_code_points(beyond, static_cast<std::int64_t>(room) + 1);
      const std::size_t first_word = line.find_first_not_of(' ');
      std::size_t space = line.rfind(' ', line.size() - beyond.size() - 1);
      if (space == std::string::npos || space < first_word) space = line.find(' ', first_word);  // a long word
      if (space == std::string::npos) break;
      out.append(line.substr(0, space)).append("\n").append(hang, ' ');
      line.remove_prefix(line.find_first_not_of(' ', space));
    }
    out += line;
    if (text.empty()) break;
    out += '\n';
    text.remove_prefix(1);
  }
  return out;
}

std::string unescaped(std::string_view typed) {
  constexpr std::string_view letters = "ntr\\", meanings = "\n\t\r\\";
  std::string text;
  for (std::size_t i = 0; i < typed.size(); ++i) {
    const auto code = typed[i] == '\\' && i + 1 < typed.size() ? letters.find(typed[i + 1]) : letters.npos;
    text += code == letters.npos ? typed[i] : meanings[code];
    if (code != letters.npos) ++i;
  }
  return text;
}

std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' || c == '\t' || c == '\\')
      out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\\\";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out;
}
}  // namespace charnn
