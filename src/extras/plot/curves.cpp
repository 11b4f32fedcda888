#include "extras/plot/curves.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/files.h"
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

/// Mean of the values within 150 steps on both sides, fewer near the ends: a running average would lag behind, and a
/// window that grows with the run would show the same steps differently in a longer run. Gaps stay.
Series smoothed(Series series, const std::vector<MetricsPoint>& points, const std::string& name = "",
                Style style = Style::line) {
  constexpr double reach = 150;
  const std::vector<double> raw = series.y;
  std::size_t begin = 0, end = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const double step = points[i].step;
    const double near = std::min({reach, step - points.front().step, points.back().step - step});
    while (points[begin].step < step - reach) ++begin;
    while (end < raw.size() && points[end].step <= step + reach) ++end;
    double sum = 0, count = 0;
    for (std::size_t j = begin; j < end; ++j)
      if (std::isfinite(raw[j]) && std::abs(points[j].step - step) <= near) {
        sum += raw[j];
        ++count;
      }
    if (std::isfinite(raw[i])) series.y[i] = sum / count;
  }
  series.name = name;
  series.style = style;
  return series;
}

/// Where the loss axis ends: the first steps, which fall from the loss of guessing, may leave it if they would take
/// more than half of the picture.
double top_of(const std::vector<std::pair<std::string, Metrics>>& runs) {
  double low = INFINITY, later = -INFINITY, first = -INFINITY;
  for (const auto& [name, run] : runs)
    for (const std::vector<MetricsPoint>* points : {&run.steps, &run.evals})
      for (std::size_t i = 0; i < points->size(); ++i) {
        const MetricsPoint& point = (*points)[i];
        if (!std::isfinite(point.loss)) continue;
        low = std::min(low, point.loss);
        first = std::max(first, point.loss);
        if (point.step > points->back().step / 20) later = std::max(later, point.loss);
      }
  return first - low > 2 * (later - low) && later > low ? later : INFINITY;
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
  std::string title = runs[0].first;
  Panel loss{.x = {options.x.label}, .y = {"loss (nats per character)", options.log_loss}};
  loss.y.top = options.log_loss ? INFINITY : top_of(runs);
  Panel lr{.x = {options.x.label}, .y = {"learning rate"}, .height = 0.5};
  Panel norm{.x = {options.x.label}, .y = {"gradient norm", true}, .height = 0.5};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto& [name, run] = runs[i];
    const std::string prefix = single ? "" : name + " ";
    const std::size_t val_color = single ? 1 : i;
    if (!options.val_only) {
      const Series raw = series_of(run.steps, x, &MetricsPoint::loss, i, Style::faint);
      loss.series.push_back(raw);
      loss.series.push_back(
          smoothed(raw, run.steps, prefix + "training, smoothed", single ? Style::line : Style::dashed));
    }
    loss.series.push_back(series_of(run.evals, x, &MetricsPoint::loss, val_color, Style::line, prefix + "validation"));
    if (run.evals.size() <= 60)
      loss.series.push_back(series_of(run.evals, x, &MetricsPoint::loss, val_color, Style::dots));
    const auto best = std::ranges::min_element(run.evals, {}, &MetricsPoint::loss);
    if (single && best != run.evals.end()) {
      loss.notes.push_back({(*best).*x, best->loss, fmt::format("best {:.4f}", best->loss)});
      title += fmt::format(": validation loss {:.4f} at step {:.0f}", best->loss, best->step);
    }
    lr.series.push_back(series_of(run.steps, x, &MetricsPoint::lr, i, Style::line));
    if (!single) continue;
    norm.series.push_back(series_of(run.steps, x, &MetricsPoint::grad_norm, 0, Style::faint));
    norm.series.push_back(smoothed(norm.series[0], run.steps));
    add_marks(loss, run, x);
  }
  lr.y.log = far_apart(lr);
  if (single) return {title, {std::move(loss), std::move(lr), std::move(norm)}};
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
