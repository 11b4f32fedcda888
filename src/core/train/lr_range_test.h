#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>
#include "core/data/batcher.h"
#include "core/model/network.h"
#include "core/train/adam.h"
#include "core/train/sink.h"
#include "core/train/train_config.h"

namespace charnn {
/// The learning-rate range test (Smith 2015, "Cyclical learning rates for training neural networks"): a short training
/// whose rate rises exponentially shows at which rates the network learns and at which the loss explodes.
struct RangeTestConfig {
  double min_lr = 1e-5;
  double max_lr = 1;
  std::int64_t steps = 400;
  CarriedState state = CarriedState::carried;  ///< as in the training to come
};

/// 400; up to 4000 for small steps, so that the test sees 100,000 characters: with fewer, noise hides the effect of the
/// rate.
std::int64_t range_test_steps(std::int64_t chars_per_step);

struct RangePoint {
  double lr = 0;
  double loss = 0;  ///< nats per character
};

struct RangeCurve {
  std::vector<RangePoint> points;  ///< rates rise; all losses are finite
  bool exploded = false;           ///< ended early: the loss was not finite, or far above its lowest
  bool stopped = false;            ///< ended early by stop()
};

/// Trains `network`, which is useless afterwards, on the windows of `batcher`. Gradients are clipped as in training.
/// `progress`, if not null, receives every step.
RangeCurve lr_range_test(Network& network, Adam& adam, Batcher& batcher, const OptimizerConfig& optimizer,
                         const RangeTestConfig& config, const std::function<bool()>& stop = {},
                         Sink* progress = nullptr);

struct LrSuggestion {
  double lr = 0;        ///< the suggestion: half of `enough`, rounded to two digits
  double steepest = 0;  ///< where the smoothed loss falls fastest over log(lr)
  double enough = 0;    ///< the lowest rate at which 95 % of the whole fall is done
  double lowest = 0;    ///< where the smoothed loss is lowest
  double lowest_loss = 0;
  bool at_end = false;  ///< the loss was still falling at the end of the curve: higher rates may be better
};

/// Why half of `enough`: the loss is nearly flat around its lowest point, so the rate there is poorly determined, and it is
/// too high for a long training; `enough` is well determined. docs/learning-rates.md compares suggestions with sweeps.
/// Nothing if the loss never falls clearly below its beginning.
std::optional<LrSuggestion> suggest_lr(const std::vector<RangePoint>& points);

/// The losses, each averaged with its neighbours over a 20th of the curve. Unlike a running average this has no lag, which
/// would shift all rates read off the curve.
std::vector<double> smoothed_losses(const std::vector<RangePoint>& points);
}  // namespace charnn
