#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <nlohmann/json_fwd.hpp>
#include "core/io/train_state.h"
#include "core/train/sink.h"

namespace charnn {
/// metrics.jsonl: one JSON object per line; first a "run" record, then "step", "eval" and "warning" records.
class MetricsSink : public Sink {
 public:
  /// A new run (`progress.step` 0) starts an empty file. A resumed run continues the file with no gap and no repeat:
  /// records after `progress` are removed, as is a last line cut off by a crash. Throws Error if the file is not a
  /// metrics file, or cannot be written now.
  MetricsSink(const std::string& path, const TrainState& progress, Warn warn = {});
  /// Seconds of training up to the last record that was kept.
  double elapsed_before() const noexcept { return elapsed_before_; }

  void begin(const RunInfo& run) override;
  void record(const StepInfo& step) override;
  void eval(const EvalInfo& eval) override;
  void warn(const Warning& warning) override;
  void end(const EndInfo& end) override;  ///< throws Error (failure) if something could not be written

 private:
  void write(std::int64_t step, const nlohmann::ordered_json& record);

  SinkFile file_;
  bool has_run_record_ = false;
  double elapsed_before_ = 0;
};

/// Calls `use` with each record of a metrics file and its line (with the newline) until it returns false. Skips a last
/// line without a newline. Throws Error (usage), with the line number, if it is not a metrics file.
void read_records(const std::string& path,
                  const std::function<bool(const nlohmann::json& record, std::string_view line)>& use);

/// The number under `key`; NaN if there is none.
double number_in(const nlohmann::json& record, const char* key);
/// The string under `key`; empty if there is none.
std::string text_in(const nlohmann::json& record, const char* key);
}  // namespace charnn
