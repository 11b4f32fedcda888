#include "extras/plot/plot_sink.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "extras/plot/curves.h"

namespace charnn {
namespace {
constexpr auto interval = std::chrono::seconds(5);
constexpr std::size_t most_points = 8000;  // what a picture shows of them is less

/// Every second point, so that memory stays bounded however long the run is.
void thin_out(std::vector<MetricsPoint>& points) {
  if (points.size() < most_points) return;
  for (std::size_t i = 0; i < points.size() / 2; ++i) points[i] = points[2 * i];
  points.resize(points.size() / 2);
}
}  // namespace

PlotSink::PlotSink(std::string path, std::string title, Metrics history, Warn warn)
    : path_(std::move(path)),
      title_(std::move(title)),
      metrics_(std::move(history)),
      warn_(std::move(warn)),
      next_draw_(std::chrono::steady_clock::now() + interval) {}

void PlotSink::record(const StepInfo& s) {
  metrics_.steps.push_back({static_cast<double>(s.step), s.epoch, static_cast<double>(s.chars), s.elapsed_seconds,
                            s.loss, s.lr, s.grad_norm});
  thin_out(metrics_.steps);
  if (std::chrono::steady_clock::now() >= next_draw_) draw();
}

void PlotSink::eval(const EvalInfo& e) {
  metrics_.evals.push_back({static_cast<double>(e.step), e.epoch, static_cast<double>(e.chars), e.elapsed_seconds,
                            e.result.loss(), e.lr, 0});
  thin_out(metrics_.evals);
}

void PlotSink::warn(const Warning& w) {
  metrics_.warnings.push_back({static_cast<double>(w.step), w.name});
  draw();  // rare, and perhaps the last thing that happens
}

void PlotSink::end(const EndInfo&) { draw(); }

void PlotSink::draw() {
  try {
    write_file(path_, to_svg(curves_of({{title_, metrics_}}, {})));
  } catch (const Error& error) {
    const double step = metrics_.steps.empty() ? 0 : metrics_.steps.back().step;
    if (warn_) warn_({static_cast<std::int64_t>(step), "not_written", error.what()});
    warn_ = nullptr;
  }
  next_draw_ = std::chrono::steady_clock::now() + interval;
}
}  // namespace charnn
