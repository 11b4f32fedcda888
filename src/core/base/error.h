#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace charnn {
/// Exit status of the program. Stopping on a signal gives 128 + its number (130 SIGINT, 143 SIGTERM).
enum class ExitCode : int {
  success = 0,
  failure = 1,   ///< something failed while running: disk full, out of memory, ...
  usage = 2,     ///< bad usage, configuration or input
  diverged = 3,  ///< training diverged
};

/// The one exception type of charnn. what() reads: found, expected, hint.
class Error : public std::runtime_error {
 public:
  /// `found`: what is wrong and where (file, byte offset, key). `expected` and `hint` may be empty.
  Error(ExitCode code, std::string_view found, std::string_view expected, std::string_view hint);

  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// Throws Error with ExitCode::usage: the person at the keyboard can fix it.
[[noreturn]] void fail_input(std::string_view found, std::string_view expected, std::string_view hint);

/// Throws Error with ExitCode::failure; `action` failed with the current `errno` ("No space left on device", ...).
[[noreturn]] void fail_errno(std::string_view action, std::string_view hint);
}  // namespace charnn
