#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "core/base/clock.h"
#include "core/train/sink.h"
#include "core/train/train_config.h"
#include "extras/plot/chart.h"
#include "extras/plot/metrics.h"

namespace charnn {
/// A quantity for the x axis.
struct CurveX {
  const char* label;
  double MetricsPoint::*value;
};
inline const std::vector<std::pair<std::string, CurveX>> curve_x{
    {"steps", {"step", &MetricsPoint::step}},
    {"epochs", {"epoch", &MetricsPoint::epoch}},
    {"chars", {"characters trained on", &MetricsPoint::chars}},
    {"seconds", {"time (seconds)", &MetricsPoint::seconds}}};

struct CurveOptions {
  CurveX x = curve_x[0].second;
  bool log_loss = false;
  bool val_only = false;  ///< without the training loss
};

/// Panels for the loss (training faint and smoothed, validation), the learning rate and, for a single run, the gradient
/// norm. Each of several runs has its own colour.
Chart curves_of(const std::vector<std::pair<std::string, Metrics>>& runs, const CurveOptions& options);

/// The learning rate of a schedule in steps [0, steps).
Chart schedule_chart(const std::string& title, const ScheduleConfig& schedule, double lr, std::int64_t steps,
                     std::int64_t total_steps);

/// Keeps a picture of the run's curves up to date: redraws it every few seconds, after warnings and at the end.
class PlotSink : public Sink {
 public:
  /// `history`: the metrics of a resumed run so far. If the picture cannot be written, training goes on and `warn` is
  /// called once.
  PlotSink(std::string path, std::string title, Metrics history, Warn warn)
      : path_(std::move(path)), title_(std::move(title)), metrics_(std::move(history)), warn_(std::move(warn)) {}

  void record(const StepInfo& step) override;
  void eval(const EvalInfo& eval) override;
  void warn(const Warning& warning) override;
  void end(const EndInfo&) override { draw(); }

 private:
  void draw();

  std::string path_, title_;
  Metrics metrics_;
  Warn warn_;
  Clock::time_point next_draw_;
};
}  // namespace charnn
