#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "charnn/train/sink.h"

namespace charnn {

/// Training as one line on a terminal, redrawn in place; evaluations and samples scroll above it.
class BarSink : public Sink {
 public:
  BarSink(std::FILE* terminal, bool color);
  ~BarSink() override;

  void begin(const RunInfo& run) override;
  void step(const StepInfo& step) override;
  void busy(const std::string& what) override;
  void eval(const EvalInfo& eval) override;
  void warn(const Warning& warning) override;
  void end(const EndInfo& end) override;

 private:
  void draw(const std::string& activity);
  void erase();
  void print(const std::string& line);  ///< above the bar
  std::size_t width() const;

  std::FILE* terminal_;
  bool color_;
  bool drawn_ = false;
  std::int64_t last_step_ = 0;
  StepInfo latest_;
  double smooth_loss_ = 0;  ///< exponential moving average, for display only
  double val_loss_ = 0;
  std::chrono::steady_clock::time_point next_draw_;
};

}  // namespace charnn
