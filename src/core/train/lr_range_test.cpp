#include "core/train/lr_range_test.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include "core/base/running_average.h"

namespace charnn {
namespace {
constexpr double keep = 0.95;  // of the running average that tells an explosion

using Clock = std::chrono::steady_clock;

/// To two digits; the very number that a person gets who types them.
double rounded(double value) { return std::strtod(fmt::format("{:.1e}", value).c_str(), nullptr); }

double rate_at(const RangeTestConfig& config, std::int64_t step) {
  const auto last = static_cast<double>(std::max<std::int64_t>(config.steps - 1, 1));
  return config.min_lr * std::pow(config.max_lr / config.min_lr, static_cast<double>(step) / last);
}

/// Points averaged over on each side; a distance over which a slope is seen through the noise.
std::size_t reach_of(std::size_t points) { return std::max<std::size_t>(2, points / 40); }

/// Tells a sink, if there is one, where the test stands.
class Progress {
 public:
  Progress(const Batcher& batcher, Sink* sink) : batcher_(batcher), sink_(sink) {}

  void step(const RangePoint& point, double grad_norm, std::int64_t chars) {
    if (sink_ == nullptr) return;
    ++info_.step;
    info_.chars += chars;
    const Cursor& cursor = batcher_.cursor();
    info_.epoch = static_cast<double>(cursor.epoch) +
                  static_cast<double>(cursor.position) / static_cast<double>(batcher_.stream_length());
    info_.loss = point.loss;
    info_.lr = point.lr;
    info_.grad_norm = grad_norm;
    info_.elapsed_seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    info_.chars_per_second = static_cast<double>(info_.chars) / info_.elapsed_seconds;
    sink_->step(info_);
  }

 private:
  const Batcher& batcher_;
  Sink* sink_;
  Clock::time_point start_ = Clock::now();
  StepInfo info_;
};
}  // namespace

std::int64_t range_test_steps(std::int64_t chars_per_step) {
  constexpr std::int64_t least = 400, most = 4000, chars = 100'000;
  return std::clamp(chars / std::max<std::int64_t>(chars_per_step, 1), least, most);
}

RangeCurve lr_range_test(Network& network, Adam& adam, Batcher& batcher, const OptimizerConfig& optimizer,
                         const RangeTestConfig& config, const std::function<bool()>& stop, Sink* sink) {
  Progress progress(batcher, sink);
  RangeCurve curve;
  State state;
  RunningAverage average;
  double lowest = INFINITY;
  for (std::int64_t step = 0; step < config.steps; ++step) {
    if (stop && stop()) {
      curve.stopped = true;
      return curve;
    }
    const double lr = rate_at(config, step);
    const Batch batch = batcher.next();
    if (batch.starts_epoch || step == 0 || config.state == CarriedState::reset)
      state = network.zero_state(batch.streams);
    const double nats = network.train_window(batch, state);
    const double norm = adam.gradient_norm();
    curve.exploded = !std::isfinite(nats) || !std::isfinite(norm);
    if (curve.exploded) return curve;
    average.add(nats, keep);
    curve.points.push_back({lr, nats});
    lowest = std::min(lowest, average.value());
    // Before a tenth of the steps the average rests on few terms.
    curve.exploded = step > config.steps / 10 && average.value() > 1.5 * lowest + 0.5;
    if (curve.exploded) return curve;
    adam.step(lr, clip_scale(norm, optimizer.clip_norm));
    progress.step({lr, nats}, norm, static_cast<std::int64_t>(batch.input.size()));
  }
  return curve;
}

std::vector<double> smoothed_losses(const std::vector<RangePoint>& points) {
  const std::size_t reach = reach_of(points.size());
  std::vector<double> smoothed(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::size_t begin = i < reach ? 0 : i - reach, end = std::min(points.size(), i + reach + 1);
    for (std::size_t j = begin; j < end; ++j) smoothed[i] += points[j].loss / static_cast<double>(end - begin);
  }
  return smoothed;
}

std::optional<LrSuggestion> suggest_lr(const std::vector<RangePoint>& points) {
  if (points.size() < 20) return std::nullopt;
  const std::vector<double> loss = smoothed_losses(points);
  const auto lowest = static_cast<std::size_t>(std::min_element(loss.begin(), loss.end()) - loss.begin());
  const double begin = points.front().loss;  // of a network that has not been trained
  const double fall = begin - loss[lowest];
  if (fall < 0.02 * begin) return std::nullopt;
  std::size_t enough = 0;
  while (loss[enough] > loss[lowest] + 0.05 * fall) ++enough;

  const std::size_t reach = reach_of(points.size());
  double steepest_slope = 0;
  LrSuggestion suggestion;
  for (std::size_t i = reach; i + reach < points.size() && i <= lowest; ++i) {
    const double slope = (loss[i + reach] - loss[i - reach]) / std::log(points[i + reach].lr / points[i - reach].lr);
    if (slope >= steepest_slope) continue;
    steepest_slope = slope;
    suggestion.steepest = points[i].lr;
  }
  suggestion.enough = points[enough].lr;
  suggestion.lowest = points[lowest].lr;
  suggestion.lowest_loss = loss[lowest];
  suggestion.at_end = lowest + reach >= points.size();
  suggestion.lr = rounded(suggestion.enough / 2);
  return suggestion;
}
}  // namespace charnn
