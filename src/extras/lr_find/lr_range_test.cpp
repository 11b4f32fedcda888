#include "extras/lr_find/lr_range_test.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include "core/base/clock.h"
#include "core/base/running_average.h"
#include "core/train/monitor.h"

namespace charnn {
namespace {
/// Points to average over on each side; also far enough apart to see a slope through the noise.
std::size_t reach_of(std::size_t points) { return std::max<std::size_t>(2, points / 40); }
}  // namespace

std::int64_t range_test_steps(std::int64_t chars_per_step) {
  return std::clamp<std::int64_t>(100'000 / std::max<std::int64_t>(chars_per_step, 1), 400, 4000);
}

RangeCurve lr_range_test(Network& network, Adam& adam, Batcher& batcher, const RangeTestConfig& config,
                         const std::function<bool()>& stop, Sink* progress) {
  const Clock::time_point start = Clock::now();
  RangeCurve curve;
  StepInfo info;
  State state;
  RunningAverage average;
  double lowest = INFINITY;
  const auto last = static_cast<double>(std::max<std::int64_t>(config.steps - 1, 1));
  for (std::int64_t step = 0; step < config.steps; ++step) {
    curve.stopped = stop && stop();
    if (curve.stopped) break;
    const Batch batch = batcher.next();
    if (batch.starts_epoch || step == 0 || config.state == CarriedState::reset)
      state = network.zero_state(batch.streams);
    info.lr = config.min_lr * std::pow(config.max_lr / config.min_lr, static_cast<double>(step) / last);
    info.loss = network.train_window(batch, state);
    info.grad_norm = adam.gradient_norm();
    curve.exploded = !std::isfinite(info.loss) || !std::isfinite(info.grad_norm);
    if (curve.exploded) break;
    curve.points.push_back({info.lr, info.loss});
    average.add(info.loss, 0.95);
    lowest = std::min(lowest, average.value());
    // In the first tenth of the steps the average rests on few terms.
    curve.exploded = step > config.steps / 10 && average.value() > explosion_limit(lowest);
    if (curve.exploded) break;
    adam.step(info.lr, info.grad_norm);
    if (progress == nullptr) continue;
    info.step = step + 1;
    info.chars += batch.steps * batch.streams;
    info.epoch = epoch_of(batcher);
    info.elapsed_seconds = seconds_since(start);
    info.chars_per_second = static_cast<double>(info.chars) / info.elapsed_seconds;
    info.last_step = config.steps;
    info.seconds_left =
        info.elapsed_seconds / static_cast<double>(info.step) * static_cast<double>(config.steps - info.step);
    progress->step(info);
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
  const std::size_t lowest = std::min_element(loss.begin(), loss.end()) - loss.begin();
  const double begin = points.front().loss;  // of the untrained network
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
  // To two digits, and exactly the number that --lr reads from them.
  suggestion.lr = std::strtod(fmt::format("{:.1e}", suggestion.enough / 2).c_str(), nullptr);
  return suggestion;
}
}  // namespace charnn
