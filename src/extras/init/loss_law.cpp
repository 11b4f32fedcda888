#include "extras/init/loss_law.h"
#include <algorithm>
#include <cmath>

namespace charnn {
namespace {
/// Of the recurrent layers, in units of hidden^2 of one matrix.
double weights_of(const NetworkSize& size) {
  return static_cast<double>(size.hidden * size.hidden * (2 * size.layers - 1));
}

/// S of the header; lower is better.
double level(const NetworkSize& size, double chars, double train_chars) {
  constexpr double by_size = -0.08511, by_chars = -0.1285, fades = 6.081, together = -0.01433, bend = 0.003456;
  constexpr double worth_of_passes = 4;
  const double passes = chars / train_chars;
  const double worth =
      passes > 1 ? train_chars * (1 + worth_of_passes * (1 - std::exp((1 - passes) / worth_of_passes))) : chars;
  const double n = std::log(weights_of(size) / weights_of(network_sizes[0]));
  const double e = fades * (1 - std::exp(-std::log(worth / 1e6) / fades));  // each doubling gains less
  return by_size * n + bend * n * n + (by_chars + together * n) * e;
}
}  // namespace

double expected_loss(const Yardsticks& yardsticks, const NetworkSize& size, double chars, double train_chars) {
  constexpr double begins = 271.4, power = 0.03971, floor = 1.249;
  const auto yardstick = static_cast<double>(yardstick_chars);
  const double first = level(network_sizes[0], yardstick, train_chars);
  const double slope = -std::log(1 - floor * std::log(yardsticks[0] / yardsticks[1])) /
                       (first - level(network_sizes[1], yardstick, train_chars));
  const double fallen = slope * (first - level(size, chars, train_chars));
  const double remembers = chars / train_chars * 4 * weights_of(size) / train_chars / begins;
  return yardsticks[0] * std::exp((std::exp(-fallen) - 1) / floor) * std::pow(std::max(1.0, remembers), power);
}

double suitable_dropout(const NetworkSize& size, double passes) {
  return std::clamp(0.12 * (std::log2(passes) + std::log2(static_cast<double>(size.hidden) / 128) - 1.5), 0.0, 0.5);
}
}  // namespace charnn
