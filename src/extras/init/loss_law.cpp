#include "extras/init/loss_law.h"
#include <algorithm>
#include <cmath>

namespace charnn {
namespace {
/// Proportional to the loss.
double level(const NetworkSize& size, double chars, double train_chars) {
  constexpr double b = 7.358, c = 0.03974, d = 2.154, e = 0.6612, worth_of_passes = 1.9;
  const double passes = chars / train_chars;
  double worth = chars;
  if (passes > 1) worth = train_chars * (1 + worth_of_passes * (1 - std::exp((1 - passes) / worth_of_passes)));
  const auto hidden = static_cast<double>(size.hidden), layers = static_cast<double>(size.layers);
  return b * std::pow(4 * hidden * hidden * (2 * layers - 1) / 1e5, -c) + d * std::pow(worth / 1e6, -e);
}
}  // namespace

double relative_loss(const NetworkSize& size, double chars, double train_chars) {
  return level(size, chars, train_chars) / level(network_sizes[0], static_cast<double>(yardstick_chars), train_chars);
}

double suitable_dropout(const NetworkSize& size, double passes) {
  return std::clamp(0.12 * (std::log2(passes) + std::log2(static_cast<double>(size.hidden) / 128) - 1.5), 0.0, 0.5);
}
}  // namespace charnn
