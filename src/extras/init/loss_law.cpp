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
  constexpr double by_size = -0.1589, by_chars = -0.2153, fades = 12.95, together = -0.04288, bend = 0.004755;
  constexpr double worth_of_passes = 9.969;
  const double passes = chars / train_chars;
  const double worth =
      passes > 1 ? train_chars * (1 + worth_of_passes * (1 - std::exp((1 - passes) / worth_of_passes))) : chars;
  const double n = std::log(weights_of(size) / weights_of(network_sizes[0]));
  const double e = fades * (1 - std::exp(-std::log(worth / 1e6) / fades));  // each doubling gains less
  return by_size * n + bend * n * n + (by_chars + together * n) * e;
}
}  // namespace

double expected_loss(const Yardsticks& yardsticks, const NetworkSize& size, double chars, double train_chars) {
  constexpr double begins = 9.063, power = 0.05471, by_weights = 0.8121, of_counting = 0.75, deepest = 0.8236;
  const double first_loss = yardsticks.networks[0], fall = std::log(first_loss / yardsticks.networks[1]);
  const double to_lowest = std::min(deepest, std::log(first_loss / yardsticks.counting / of_counting));
  const double room = std::max(to_lowest, 1.1 * fall);  // at least what the second network has fallen
  const auto yardstick = static_cast<double>(yardstick_chars);
  const double first = level(network_sizes[0], yardstick, train_chars);
  const double slope = -std::log(1 - fall / room) / (first - level(network_sizes[1], yardstick, train_chars));
  const double fallen = slope * (first - level(size, chars, train_chars));
  const double remembers =
      chars / train_chars / begins * std::pow(weights_of(size) / weights_of(network_sizes.back()), by_weights);
  return first_loss * std::exp(room * (std::exp(-fallen) - 1)) * std::pow(std::max(1.0, remembers), power);
}

double suitable_dropout(const NetworkSize& size, double passes) {
  return std::clamp(0.12 * (std::log2(passes) + std::log2(static_cast<double>(size.hidden) / 128) - 1.5), 0.0, 0.5);
}
}  // namespace charnn
