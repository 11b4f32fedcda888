#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>
#include "core/model/network.h"
#include "core/train/train_config.h"

namespace charnn {
/// Adam (Kingma, Ba 2014), with the same arithmetic as torch.optim.Adam:
///   m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, with g = gradient + l2_penalty w
///   w -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
/// Before that, config.weight_decay multiplies all but biases by 1 - lr weight_decay, as torch.optim.AdamW does
/// (Loshchilov, Hutter 2017, "Decoupled weight decay regularization").
/// With config.average_decay d > 0 it also keeps an average of the weights (Polyak, Juditsky 1992), corrected like m:
///   average += (1 - d) / (1 - d^t) (w - average)
/// One object lives as long as the run; changing the learning rate leaves its moments alone.
class Adam {
 public:
  /// Throws Error (usage) if config.freeze names a layer that does not exist, or all of them.
  Adam(Network& network, const OptimizerConfig& config);

  Scalar gradient_norm() const;  ///< of all gradients together, without those of frozen weights
  /// Gradients of this `norm` are first clipped to config.clip_norm. If `skip` is 1, weights and moments stay as they
  /// are; on a GPU, which may not know that yet, such a step counts all the same.
  void step(double lr, const Scalar& norm = 0, const Scalar& skip = 0);

  std::int64_t steps() const noexcept { return steps_; }
  const FlatArray& exp_avg() const noexcept { return exp_avg_; }        ///< first moments, laid out like the weights
  const FlatArray& exp_avg_sq() const noexcept { return exp_avg_sq_; }  ///< second moments
  const FlatArray* average() const noexcept { return average_ ? &*average_ : nullptr; }  ///< of the weights; or null
  void restore(std::span<const float> exp_avg, std::span<const float> exp_avg_sq, std::int64_t steps);
  /// Without a stored average (`average` is empty), it goes on from the present weights. Does nothing if none is kept.
  void restore_average(std::span<const float> average);

 private:
  Network& network_;
  const OptimizerConfig& config_;
  struct Trained {
    std::vector<FlatRange> all, decaying, rest;  ///< weights that are not frozen; without weight_decay none decays
  };
  static Trained trained_ranges(const NetworkLayout& layout, const OptimizerConfig& config);

  Trained trained_;
  FlatArray exp_avg_, exp_avg_sq_;
  std::optional<FlatArray> average_;
  std::int64_t steps_ = 0;
};

/// While it lives, the network has the averaged weights, if there are any.
class AveragedWeights {
 public:
  AveragedWeights(Network& network, const Adam& adam);
  ~AveragedWeights();
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  Network& network_;
  std::optional<FlatArray> trained_;  ///< the weights to put back; none if nothing is averaged
};

/// Scales gradients of this norm down to `max_norm` (Pascanu et al. 2013); 1 if they are below it, or max_norm is 0.
inline double clip_scale(double norm, double max_norm) {
  return max_norm > 0 && norm > max_norm ? max_norm / (norm + 1e-6) : 1;
}
}  // namespace charnn
