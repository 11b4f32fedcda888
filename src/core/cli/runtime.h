#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <fmt/format.h>
#include <nlohmann/json_fwd.hpp>
#include "core/base/terminal.h"
#include "core/model/flat_array.h"
#include "core/train/train_config.h"

namespace charnn::cli {
/// From now on, SIGINT and SIGTERM only set a stop flag; a second signal ends the process.
struct StopSignals {
  StopSignals();
  static int received() noexcept;  ///< signal number, or 0
};

/// Chooses the device and prepares LibTorch for it. Throws Error (usage) if there is no GPU but one is required.
Device prepare_device(DeviceChoice choice);

/// Writes to stdout, unbuffered. Returns false if the reader has gone (EPIPE); throws Error on any other failure.
bool write_stdout(std::string_view text);

/// write_stdout() for human-readable output, which may contain names and symbols from a file: safe for a terminal.
bool write_report(std::string_view text);

/// write_stdout() of JSON, in ASCII.
bool write_json(const nlohmann::ordered_json& json);

/// Prints a line on stderr, safe for a terminal.
void say_line(std::string_view text);
template <class... Parts>
void say(fmt::format_string<Parts...> format, Parts&&... parts) {
  say_line(fmt::format(format, std::forward<Parts>(parts)...));
}

/// True if `fd` is a terminal and colours are not turned off (https://no-color.org).
bool wants_color(int fd);

/// Generated text on its way to stdout, flushed every 20 ms. Made safe if stdout is a terminal, unless `raw`.
class TextOutput {
 public:
  explicit TextOutput(bool raw);

  bool add(std::string_view text);  ///< false: the reader has gone
  void end();                       ///< flushes, and on a terminal ends the line

 private:
  bool flush();

  bool terminal_, safe_;
  SafeText shown_;
  std::string buffer_;
  char last_ = '\n';
  std::chrono::steady_clock::time_point flushed_;
};
}  // namespace charnn::cli
