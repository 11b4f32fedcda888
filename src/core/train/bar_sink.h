#pragma once
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>
#include "core/base/running_average.h"
#include "core/train/sink.h"

namespace charnn {
/// Training as one line on a terminal, redrawn in place; evaluations and samples scroll above it.
class BarSink : public Sink {
 public:
  BarSink(std::FILE* terminal, bool color);
  ~BarSink() override;

  void begin(const RunInfo& run) override;
  void step(const StepInfo& step) override;
  void activity(const std::string& what) override;
  void eval(const EvalInfo& eval) override;
  void warn(const Warning& warning) override;
  void end(const EndInfo& end) override;

 private:
  std::vector<std::string> fields(const std::string& activity) const;  ///< by importance, ASCII
  void draw(const std::string& activity);
  void erase();
  void print(const std::string& line);  ///< above the bar
  std::size_t width() const;

  std::FILE* terminal_;
  bool color_;
  std::size_t drawn_ = 0;  ///< columns of the line that stands there
  std::int64_t last_step_ = 0;
  StepInfo latest_;
  RunningAverage loss_;
  double val_loss_ = 0;
  std::chrono::steady_clock::time_point next_draw_;
};
}  // namespace charnn
