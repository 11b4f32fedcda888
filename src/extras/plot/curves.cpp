#include "extras/plot/curves.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "core/base/running_average.h"
#include "core/train/schedule.h"

namespace charnn {
namespace {
double x_of(const MetricsPoint& point, CurveX x) {
  switch (x) {
    case CurveX::epochs: return point.epoch;
    case CurveX::chars: return point.chars;
    case CurveX::seconds: return point.seconds;
    case CurveX::steps: break;
  }
  return point.step;
}

ChartAxis x_axis(CurveX x) {
  constexpr const char* labels[] = {"step", "epoch", "characters trained on", "time (seconds)"};
  return {labels[static_cast<std::size_t>(x)]};
}

Series series_of(std::string name, std::size_t color, Series::Style style, const std::vector<MetricsPoint>& points,
                 CurveX x, double MetricsPoint::*value) {
  Series series{std::move(name), {}, {}, color, style};
  for (const MetricsPoint& point : points) {
    series.x.push_back(x_of(point, x));
    series.y.push_back(point.*value);
  }
  return series;
}

/// Exponential average over about a 30th of the curve, debiased (see RunningAverage); gaps stay.
Series smoothed(Series series) {
  const double keep = 1 - 1 / std::max(2.0, static_cast<double>(series.y.size()) / 30);
  RunningAverage average;
  for (double& y : series.y) {
    if (!std::isfinite(y)) continue;
    average.add(y, keep);
    y = average.value();
  }
  series.style = Series::Style::line;
  return series;
}

void add_loss(Panel& panel, const std::string& prefix, std::size_t color, std::size_t val_color, const Metrics& run,
              const CurveOptions& options) {
  if (!options.val_only) {
    Series raw = series_of("", color, Series::Style::faint, run.steps, options.x, &MetricsPoint::loss);
    Series smooth = smoothed(raw);
    smooth.name = prefix + "training, smoothed";
    if (color == val_color) smooth.style = Series::Style::dashed;
    panel.series.push_back(std::move(raw));
    panel.series.push_back(std::move(smooth));
  }
  panel.series.push_back(
      series_of(prefix + "validation", val_color, Series::Style::line, run.evals, options.x, &MetricsPoint::loss));
  if (run.evals.size() <= 60)
    panel.series.push_back(series_of("", val_color, Series::Style::dots, run.evals, options.x, &MetricsPoint::loss));
}

/// True if the curves' highest values differ so much that a linear axis would flatten some of them.
bool far_apart(const Panel& panel) {
  double low = INFINITY, high = 0;
  for (const Series& series : panel.series) {
    double peak = 0;
    for (const double y : series.y)
      if (std::isfinite(y)) peak = std::max(peak, y);
    if (peak > 0) low = std::min(low, peak);
    high = std::max(high, peak);
  }
  return high > 8 * low;
}

/// What the trainer did at some step, at that step's place.
void add_marks(Panel& panel, const Metrics& run, CurveX x) {
  for (const Metrics::Event& event : run.warnings) {
    if (event.name != "rollback" && event.name != "lr_drop") continue;
    const auto at = std::find_if(run.steps.begin(), run.steps.end(),
                                 [&](const MetricsPoint& point) { return point.step >= event.step; });
    if (at != run.steps.end())
      panel.marks.push_back({x_of(*at, x), event.name == "rollback" ? "rolled back" : "lr drop"});
  }
}
}  // namespace

Chart curves_of(const std::vector<std::pair<std::string, Metrics>>& runs, const CurveOptions& options) {
  const bool single = runs.size() == 1;
  Chart chart{single ? runs[0].first : "charnn: " + std::to_string(runs.size()) + " runs", {}};
  Panel loss{.x = x_axis(options.x), .y = {"loss (nats per character)", options.log_loss}};
  Panel lr{.x = x_axis(options.x), .y = {"learning rate"}};
  Panel norm{.x = x_axis(options.x), .y = {"gradient norm", true}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto& [name, run] = runs[i];
    const std::string prefix = single ? "" : name + " ";
    add_loss(loss, prefix, i, single ? 1 : i, run, options);
    lr.series.push_back(series_of("", i, Series::Style::line, run.steps, options.x, &MetricsPoint::lr));
    if (!single) continue;
    norm.series.push_back(series_of("", 0, Series::Style::faint, run.steps, options.x, &MetricsPoint::grad_norm));
    norm.series.push_back(smoothed(norm.series[0]));
    add_marks(loss, run, options.x);
  }
  lr.y.log = far_apart(lr);
  chart.panels = {std::move(loss), std::move(lr)};
  if (single) chart.panels.push_back(std::move(norm));
  return chart;
}

Chart schedule_chart(const std::string& title, const ScheduleConfig& schedule, double lr, std::int64_t steps,
                     std::int64_t total_steps) {
  Series rate{"", {}, {}, 0, Series::Style::line};
  const std::int64_t stride = std::max<std::int64_t>(1, steps / 2000);
  const auto add = [&](std::int64_t step) {
    rate.x.push_back(static_cast<double>(step));
    rate.y.push_back(learning_rate(schedule, lr, step, total_steps));
  };
  for (std::int64_t step = 0; step < steps - 1; step += stride) add(step);
  add(steps - 1);
  return {title, {{.x = {"step"}, .y = {"learning rate"}, .series = {std::move(rate)}}}};
}

Chart range_test_chart(const RangeCurve& curve, const std::optional<LrSuggestion>& suggestion,
                       const std::string& title) {
  Series raw{"", {}, {}, 0, Series::Style::faint}, smoothed{"training loss, smoothed", {}, {}, 0, Series::Style::line};
  for (const RangePoint& point : curve.points) {
    raw.x.push_back(point.lr);
    raw.y.push_back(point.loss);
  }
  smoothed.x = raw.x;
  smoothed.y = smoothed_losses(curve.points);
  Panel panel{.x = {"learning rate", true}, .y = {"loss (nats per character)"}, .series = {raw, smoothed}};
  if (suggestion)
    panel.marks = {{suggestion->lr, fmt::format("suggested {:g}", suggestion->lr)}, {suggestion->lowest, "lowest"}};
  return {title, {panel}};
}
}  // namespace charnn
