#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>
#include "core/data/batcher.h"
#include "core/model/network.h"
#include "core/train/adam.h"
#include "core/train/sink.h"
#include "core/train/train_config.h"

namespace charnn {
/// The learning-rate range test (Smith 2015, "Cyclical learning rates for training neural networks"): a short training
/// whose rate rises exponentially from step to step shows which rates learn and which explode.
struct RangeTestConfig {
  double min_lr = 1e-5;
  double max_lr = 1;
  std::int64_t steps = 400;
  CarriedState state = CarriedState::carried;  ///< as in the training to come
};

/// 400; up to 4000 where a step is so small that this would show less than 100,000 characters: what the rate does is
/// then hidden by noise.
std::int64_t range_test_steps(std::int64_t chars_per_step);

struct RangePoint {
  double lr = 0;
  double loss = 0;  ///< nats per character
};

struct RangeCurve {
  std::vector<RangePoint> points;
  bool exploded = false;  ///< ended before max_lr: the loss was not finite, or far above its lowest
  bool stopped = false;   ///< ended by stop()
};

/// Trains `network`, which is spoilt by that, on what `batcher` hands out. Gradients are clipped as in training. Ends
/// early where stop() is true, or where the loss explodes: every loss of the curve is finite. `progress`, if not null,
/// is told every step.
RangeCurve lr_range_test(Network& network, Adam& adam, Batcher& batcher, const OptimizerConfig& optimizer,
                         const RangeTestConfig& config, const std::function<bool()>& stop = {},
                         Sink* progress = nullptr);

/// What a range test says about rates.
struct LrSuggestion {
  double lr = 0;        ///< the suggestion: half of `enough`, to two digits
  double steepest = 0;  ///< where the smoothed loss falls fastest over log(lr)
  double enough = 0;    ///< the lowest rate at which 95 % of the whole fall is behind
  double lowest = 0;    ///< where the smoothed loss is lowest
  double lowest_loss = 0;
  bool at_end = false;  ///< the loss was still falling where the curve ends: higher rates may be better
};

/// Reads a curve; its losses are finite and its rates rise. Why half of `enough`: the rate of the lowest loss itself is
/// poorly determined, since the loss is nearly flat there, and too high for a long training; `enough` is well
/// determined. docs/learning-rates.md compares the suggestion with sweeps over rates. Nothing if the loss never falls
/// clearly below its beginning.
std::optional<LrSuggestion> suggest_lr(const std::vector<RangePoint>& points);

/// The losses, each averaged with its neighbours over a 20th of the curve: without the lag of a running average, which
/// would shift every rate that is read off.
std::vector<double> smoothed_losses(const std::vector<RangePoint>& points);
}  // namespace charnn
