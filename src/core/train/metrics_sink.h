#pragma once
#include <string>
#include "core/io/train_state.h"
#include "core/train/sink_file.h"

namespace charnn {
/// metrics.jsonl: one JSON object a line; first a "run" record, then "step", "eval" and "warning" records.
class MetricsSink : public Sink {
 public:
  /// For a new run (`progress.step` 0) the file is made anew. For a resumed one, records of what happened after
  /// `progress` was saved, and a last line that a crash cut off, are removed: the file goes on with no gap, no repeat.
  /// Throws Error if it is not a metrics file, or cannot be written now.
  MetricsSink(std::string path, const TrainState& progress, Warn warn = {});

  /// Seconds of training up to the last record that was kept.
  double elapsed_before() const noexcept { return elapsed_before_; }

  void begin(const RunInfo& run) override;
  void record(const StepInfo& step) override;
  void eval(const EvalInfo& eval) override;
  void warn(const Warning& warning) override;
  void end(const EndInfo& end) override;  ///< throws Error (failure) if not all could be written

 private:
  void write(std::int64_t step, const std::string& line);

  SinkFile file_;
  bool has_run_record_ = false;
  double elapsed_before_ = 0;
};
}  // namespace charnn
