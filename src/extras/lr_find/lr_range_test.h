#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>
#include "core/data/batcher.h"
#include "core/train/adam.h"
#include "core/train/sink.h"
#include "core/train/train_config.h"

namespace charnn {
/// The learning-rate range test (Smith 2015, "Cyclical learning rates for training neural networks"): a short training
/// whose rate rises exponentially shows at which rates the network learns and at which the loss explodes.
struct RangeTestConfig {
  double min_lr = 1e-5, max_lr = 1;
  std::int64_t steps = 400;
  CarriedState state = CarriedState::carried;  ///< as in the training to come
};

/// 400 to 4000: enough for the test to see 100,000 characters, since noise hides the effect of the rate in fewer.
std::int64_t range_test_steps(std::int64_t chars_per_step);

struct RangePoint {
  double lr = 0, loss = 0;  ///< loss in nats per character
};
struct RangeCurve {
  std::vector<RangePoint> points;  ///< rates rise; all losses are finite
  bool exploded = false;           ///< ended early: the loss was not finite, or far above its lowest
  bool stopped = false;            ///< ended early by stop()
};

/// Trains `network`, which is useless afterwards, with clipping as in training. `progress` may be null.
RangeCurve lr_range_test(Network& network, Adam& adam, Batcher& batcher, const RangeTestConfig& config,
                         const std::function<bool()>& stop = {}, Sink* progress = nullptr);

struct LrSuggestion {
  double lr = 0;                       ///< the suggestion: half of `enough`, rounded to two digits
  double steepest = 0;                 ///< where the smoothed loss falls fastest over log(lr)
  double enough = 0;                   ///< the lowest rate at which 95 % of the whole fall is done
  double lowest = 0, lowest_loss = 0;  ///< where the smoothed loss is lowest, and that loss
  bool at_end = false;  ///< the loss was still falling at the end of the curve: higher rates may be better
};

/// Nothing if the loss never falls clearly below its beginning. Why half of `enough`: the curve is flat at its lowest
/// point, so the rate there is poorly determined, and too high for a long training. See docs/learning-rates.md.
std::optional<LrSuggestion> suggest_lr(const std::vector<RangePoint>& points);

/// Each loss averaged with its neighbours over a 20th of the curve. A running average would lag, and shift all rates.
std::vector<double> smoothed_losses(const std::vector<RangePoint>& points);
}  // namespace charnn
