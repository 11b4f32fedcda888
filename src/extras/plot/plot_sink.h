#pragma once
#include <chrono>
#include <string>
#include "core/train/sink.h"
#include "extras/plot/metrics.h"

namespace charnn {
/// Keeps a picture of the run's curves (see curves.h) current: it is drawn anew every few seconds, and at the end.
class PlotSink : public Sink {
 public:
  /// `history`: what a resumed run has behind it. A picture that cannot be written is no reason to stop training:
  /// `warn` is told once.
  PlotSink(std::string path, std::string title, Metrics history, Warn warn);

  void record(const StepInfo& step) override;
  void eval(const EvalInfo& eval) override;
  void warn(const Warning& warning) override;
  void end(const EndInfo& end) override;

 private:
  void draw();

  std::string path_;
  std::string title_;
  Metrics metrics_;
  Warn warn_;
  std::chrono::steady_clock::time_point next_draw_;
};
}  // namespace charnn
