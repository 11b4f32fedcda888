#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <fmt/format.h>
#include <nlohmann/json_fwd.hpp>
#include "core/base/clock.h"
#include "core/base/terminal.h"
#include "core/model/flat_array.h"
#include "core/train/train_config.h"

namespace charnn::cli {
/// From now on, SIGINT, SIGTERM, SIGHUP (unless ignored, as by nohup), SIGQUIT and SIGXCPU only set a stop flag; a
/// second one ends the process.
struct StopSignals {
  StopSignals();
  static int received() noexcept;  ///< signal number, or 0
  static void accept_save_requests();
  static bool save_requested() noexcept;  ///< SIGUSR1 has come since the last call
};

std::string signal_name(int number);  ///< "SIGINT"

/// Chooses the device and prepares LibTorch for it. Throws Error (usage) if there is no such GPU. `local_rank` tells
/// processes on this machine apart.
Device prepare_device(DeviceChoice choice, int local_rank = 0);

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

/// What a command is doing, as a line on stderr that is redrawn, and erased in the end. Nothing if stderr is not a
/// terminal, or before `after` seconds.
class Progress {
 public:
  explicit Progress(double after) : after_(after) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void show(std::string_view what);
  void show(std::string_view what, double share);  ///< "scoring, 34 %, 12 s left", if it began with this object

 private:
  double after_;
  Clock::time_point start_ = Clock::now();
  std::string drawn_;
};

/// True if `fd` is a terminal and colours are not turned off (https://no-color.org).
bool wants_color(int fd);

/// True if the locale's encoding is UTF-8.
bool writes_utf8();

/// Generated text on its way to stdout, flushed every 20 ms. Made safe if stdout is a terminal, unless `raw`.
class TextOutput {
 public:
  explicit TextOutput(bool raw);

  bool add(std::string_view text);  ///< false: the reader has gone
  void end(bool whole = false);     ///< flushes, and ends the line on a terminal, or if the text is `whole`

 private:
  bool flush();

  bool terminal_, safe_;
  SafeText shown_;
  std::string buffer_;
  char last_ = '\n';
  std::chrono::steady_clock::time_point flushed_;
};
}  // namespace charnn::cli
