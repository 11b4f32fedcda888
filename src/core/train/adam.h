#pragma once
#include <cstdint>
#include <span>
#include <vector>
#include "core/model/network.h"
#include "core/train/train_config.h"

namespace charnn {
/// Adam (Kingma, Ba 2014), with the same arithmetic as torch.optim.Adam:
///   m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, with g = gradient + weight_decay * w
///   w -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
/// One object lives as long as the run; changing the learning rate leaves its moments alone.
class Adam {
 public:
  /// Throws Error (usage) if config.freeze names a layer that does not exist, or all of them.
  Adam(Network& network, const OptimizerConfig& config);

  double gradient_norm() const;  ///< of all gradients together, without those of frozen weights
  /// Every gradient is first multiplied by `gradient_scale`; see clip_scale().
  void step(double lr, double gradient_scale = 1);

  std::int64_t steps() const noexcept { return steps_; }
  const FlatArray& exp_avg() const noexcept { return exp_avg_; }        ///< first moments, laid out like the weights
  const FlatArray& exp_avg_sq() const noexcept { return exp_avg_sq_; }  ///< second moments
  void restore(std::span<const float> exp_avg, std::span<const float> exp_avg_sq, std::int64_t steps);

 private:
  Network& network_;
  const OptimizerConfig& config_;
  std::vector<FlatRange> trained_;  ///< weights that are not frozen
  FlatArray exp_avg_, exp_avg_sq_;
  std::int64_t steps_ = 0;
};

/// Scales gradients of this norm down to `max_norm` (Pascanu et al. 2013); 1 if they are below it, or max_norm is 0.
inline double clip_scale(double norm, double max_norm) {
  return max_norm > 0 && norm > max_norm ? max_norm / (norm + 1e-6) : 1;
}
}  // namespace charnn
