#include "core/cli/text_output.h"
#include <unistd.h>
#include <utility>
#include "core/cli/runtime.h"

namespace charnn::cli {
TextOutput::TextOutput(bool raw) : terminal_(::isatty(STDOUT_FILENO) == 1), safe_(terminal_ && !raw) {}

bool TextOutput::add(std::string_view text) {
  if (!text.empty()) last_ = text.back();
  buffer_ += text;
  const Clock::time_point now = Clock::now();
  if (now - written_ < std::chrono::milliseconds(20) && buffer_.size() < (1 << 16)) return true;
  written_ = now;
  return flush();
}

void TextOutput::end() {
  flush();
  write_stdout(shown_.finish());
  // So that the shell's prompt begins on a line of its own.
  if (terminal_ && last_ != '\n') write_stdout("\n");
}

bool TextOutput::flush() {
  const std::string text = std::exchange(buffer_, {});
  return write_stdout(safe_ ? shown_.add(text) : text);
}
}  // namespace charnn::cli
