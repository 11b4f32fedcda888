#pragma once
#include <cstdint>
#include <span>
#include <vector>
#include "core/model/network.h"
#include "core/train/train_config.h"

namespace charnn {
/// Adam (Kingma, Ba 2014), with the same arithmetic as torch.optim.Adam: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
/// w -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps), with g = gradient + weight_decay * w.
/// One object lives as long as the run. The learning rate is an argument of every step, so changing it leaves the moments
/// alone.
class Adam {
 public:
  /// The weights named by config.freeze stay as they are, and gradient_norm() leaves out their gradients. Throws Error
  /// (usage) if it names a layer that does not exist, or all of them.
  Adam(Network& network, const OptimizerConfig& config);

  /// Norm of all gradients together.
  double gradient_norm() const;
  /// Every gradient is first multiplied by `gradient_scale`; clip_scale() gives the one for clipping.
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

/// Factor that scales gradients of this norm down to `max_norm` (Pascanu et al. 2013); 1 if they are already below it, or
/// if max_norm is 0.
double clip_scale(double norm, double max_norm);
}  // namespace charnn
