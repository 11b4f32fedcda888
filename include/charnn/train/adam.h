#pragma once

#include <cstdint>

#include "charnn/model/network.h"
#include "charnn/train/train_config.h"

namespace charnn {

/// Adam (Kingma, Ba 2014), step for step as torch.optim.Adam: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
/// w -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps), with g = gradient + weight_decay * w.
/// One object lives as long as the run: the learning rate is an argument of every step, so that no change of
/// it can touch the moments, and moments and step count are plain to save.
class Adam {
 public:
  Adam(NamedTensors parameters, const OptimizerConfig& config);

  /// Scales all gradients down so that their common norm is at most `max_norm` (0: no limit; Pascanu et al.
  /// 2013). Returns the norm before.
  double clip_gradients(double max_norm);

  void step(double lr);
  void zero_grad();

  std::int64_t steps() const noexcept { return steps_; }
  const NamedTensors& exp_avg() const noexcept { return exp_avg_; }
  const NamedTensors& exp_avg_sq() const noexcept { return exp_avg_sq_; }

  /// Takes up saved moments. Throws Error (usage) if they do not fit the parameters.
  void restore(const NamedTensors& exp_avg, const NamedTensors& exp_avg_sq, std::int64_t steps);

 private:
  NamedTensors parameters_;
  const OptimizerConfig& config_;
  NamedTensors exp_avg_;
  NamedTensors exp_avg_sq_;
  std::int64_t steps_ = 0;
};

}  // namespace charnn
