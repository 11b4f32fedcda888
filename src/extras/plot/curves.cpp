#include "extras/plot/curves.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/running_average.h"
#include "core/train/schedule.h"

namespace charnn {
namespace {
using Style = Series::Style;

template <class Point>
Series series_of(const std::vector<Point>& points, double Point::*x, double Point::*y, std::size_t color, Style style,
                 const std::string& name = "") {
  Series series{name, {}, {}, color, style};
  for (const Point& point : points) {
    series.x.push_back(point.*x);
    series.y.push_back(point.*y);
  }
  return series;
}

/// Exponential average over about a 30th of the curve, debiased (see RunningAverage); gaps stay.
Series smoothed(Series series, const std::string& name = "", Style style = Style::line) {
  const double keep = 1 - 1 / std::max(2.0, static_cast<double>(series.y.size()) / 30);
  RunningAverage average;
  for (double& y : series.y) {
    if (!std::isfinite(y)) continue;
    average.add(y, keep);
    y = average.value();
  }
  series.name = name;
  series.style = style;
  return series;
}

/// True if the curves' peaks differ so much that a linear axis would flatten some of them.
bool far_apart(const Panel& panel) {
  std::vector<double> peaks;
  for (const Series& series : panel.series)
    if (!series.y.empty()) peaks.push_back(std::ranges::max(series.y));
  return !peaks.empty() && std::ranges::max(peaks) > 8 * std::ranges::min(peaks);
}

/// Marks the steps at which the trainer intervened.
void add_marks(Panel& panel, const Metrics& run, double MetricsPoint::*x) {
  for (const Metrics::Event& event : run.warnings) {
    if (event.name != "rollback" && event.name != "lr_drop") continue;
    const auto at = std::find_if(run.steps.begin(), run.steps.end(),
                                 [&](const MetricsPoint& point) { return point.step >= event.step; });
    if (at != run.steps.end()) panel.marks.push_back({(*at).*x, event.name == "rollback" ? "rolled back" : "lr drop"});
  }
}

/// Drops every other point of a long run, so that memory stays bounded. The limit is more than a picture can show.
void thin_out(std::vector<MetricsPoint>& points) {
  if (points.size() < 8000) return;
  for (std::size_t i = 0; i < points.size() / 2; ++i) points[i] = points[2 * i];
  points.resize(points.size() / 2);
}
}  // namespace

Chart curves_of(const std::vector<std::pair<std::string, Metrics>>& runs, const CurveOptions& options) {
  const bool single = runs.size() == 1;
  const auto x = options.x.value;
  Panel loss{.x = {options.x.label}, .y = {"loss (nats per character)", options.log_loss}};
  Panel lr{.x = {options.x.label}, .y = {"learning rate"}};
  Panel norm{.x = {options.x.label}, .y = {"gradient norm", true}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto& [name, run] = runs[i];
    const std::string prefix = single ? "" : name + " ";
    const std::size_t val_color = single ? 1 : i;
    if (!options.val_only) {
      const Series raw = series_of(run.steps, x, &MetricsPoint::loss, i, Style::faint);
      loss.series.push_back(raw);
      loss.series.push_back(smoothed(raw, prefix + "training, smoothed", single ? Style::line : Style::dashed));
    }
    loss.series.push_back(series_of(run.evals, x, &MetricsPoint::loss, val_color, Style::line, prefix + "validation"));
    if (run.evals.size() <= 60)
      loss.series.push_back(series_of(run.evals, x, &MetricsPoint::loss, val_color, Style::dots));
    lr.series.push_back(series_of(run.steps, x, &MetricsPoint::lr, i, Style::line));
    if (!single) continue;
    norm.series.push_back(series_of(run.steps, x, &MetricsPoint::grad_norm, 0, Style::faint));
    norm.series.push_back(smoothed(norm.series[0]));
    add_marks(loss, run, x);
  }
  lr.y.log = far_apart(lr);
  if (single) return {runs[0].first, {std::move(loss), std::move(lr), std::move(norm)}};
  return {fmt::format("charnn: {} runs", runs.size()), {std::move(loss), std::move(lr)}};
}

Chart schedule_chart(const std::string& title, const ScheduleConfig& schedule, double lr, std::int64_t steps,
                     std::int64_t total_steps) {
  Series rate;
  const std::int64_t stride = std::max<std::int64_t>(1, steps / 2000);
  for (std::int64_t step = 0; step < steps; step += stride) {
    rate.x.push_back(static_cast<double>(step));
    rate.y.push_back(learning_rate(schedule, lr, step, total_steps));
  }
  return {title, {{.x = {"step"}, .y = {"learning rate"}, .series = {std::move(rate)}}}};
}

Chart range_test_chart(const RangeCurve& curve, const std::optional<LrSuggestion>& suggestion,
                       const std::string& title) {
  const Series raw = series_of(curve.points, &RangePoint::lr, &RangePoint::loss, 0, Style::faint);
  const Series smooth{"training loss, smoothed", raw.x, smoothed_losses(curve.points), 0, Style::line};
  Panel panel{.x = {"learning rate", true}, .y = {"loss (nats per character)"}, .series = {raw, smooth}};
  if (suggestion)
    panel.marks = {{suggestion->lr, fmt::format("suggested {:g}", suggestion->lr)}, {suggestion->lowest, "lowest"}};
  return {title, {panel}};
}

void PlotSink::record(const StepInfo& s) {
  metrics_.steps.push_back({static_cast<double>(s.step), s.epoch, static_cast<double>(s.chars), s.elapsed_seconds,
                            s.loss, s.lr, s.grad_norm});
  thin_out(metrics_.steps);
  if (Clock::now() >= next_draw_) draw();
}

void PlotSink::eval(const EvalInfo& e) {
  metrics_.evals.push_back({static_cast<double>(e.step), e.epoch, static_cast<double>(e.chars), e.elapsed_seconds,
                            e.result.loss(), e.lr, 0});
  thin_out(metrics_.evals);
}

void PlotSink::warn(const Warning& w) {
  metrics_.warnings.push_back({static_cast<double>(w.step), w.name});
  draw();  // warnings are rare, and this one may be the last event
}

void PlotSink::draw() {
  try {
    write_file(path_, to_svg(curves_of({{title_, metrics_}}, {})));
  } catch (const Error& error) {
    const double step = metrics_.steps.empty() ? 0 : metrics_.steps.back().step;
    if (warn_) warn_({static_cast<std::int64_t>(step), "not_written", error.what()});
    warn_ = nullptr;
  }
  next_draw_ = Clock::now() + std::chrono::seconds(5);
}
}  // namespace charnn
