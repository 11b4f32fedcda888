#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <fmt/format.h>
#include <nlohmann/json_fwd.hpp>
#include "core/model/flat_array.h"
#include "core/train/train_config.h"

namespace charnn::cli {
/// Turns SIGINT and SIGTERM into a wish to stop while it lives; a second signal ends the process at once.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  static int received() noexcept;  ///< signal number, or 0
};

/// Number of CPU threads meant; 0: one per core.
int cpu_threads(std::int64_t asked);

/// The same for training: no more threads than have work worth waking them for.
int training_threads(const TrainConfig& train, const ModelConfig& model, std::int64_t vocabulary_size);

/// Finds the device meant. Throws Error (usage) if a GPU is asked for that is not there.
Device prepare_device(DeviceChoice choice);

/// Writes to stdout at once. Returns false when nobody reads any more (EPIPE); throws Error for other failures.
bool write_stdout(std::string_view text);

/// write_stdout() of text for a person, made harmless for a terminal: it may hold names and symbols that come from a
/// file.
bool write_report(std::string_view text);

/// write_stdout() of JSON, in ASCII.
bool write_json(const nlohmann::ordered_json& json);

/// A line for a person on stderr, made harmless for a terminal.
void say_line(std::string_view text);
template <class... Parts>
void say(fmt::format_string<Parts...> format, Parts&&... parts) {
  say_line(fmt::format(format, std::forward<Parts>(parts)...));
}

/// True if `fd` is a terminal that may be coloured (NO_COLOR unset: https://no-color.org).
bool wants_color(int fd);
}  // namespace charnn::cli
