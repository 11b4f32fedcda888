#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include "core/base/terminal.h"

namespace charnn::cli {
/// Text on its way to stdout: at once as far as a reader can tell, but not with a system call for every character. A
/// terminal gets it made harmless, unless `raw`; a file or pipe as it is.
class TextOutput {
 public:
  explicit TextOutput(bool raw);

  bool add(std::string_view text);  ///< false: nobody reads any more
  void end();                       ///< on a terminal the line is ended, too

 private:
  using Clock = std::chrono::steady_clock;

  bool flush();

  bool terminal_, safe_;
  SafeText shown_;
  std::string buffer_;
  char last_ = '\n';
  Clock::time_point written_{};
};
}  // namespace charnn::cli
