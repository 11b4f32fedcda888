#pragma once

#include <cstdint>

#include "core/model/network.h"
#include "core/train/train_config.h"

namespace charnn {

/// Adam (Kingma, Ba 2014), step for step as torch.optim.Adam: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w -= lr *
/// (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps), with g = gradient + weight_decay * w. One object lives as long as
/// the run: the learning rate is an argument of every step, so that no change of it can touch the moments, and moments
/// and step count are plain to save.
class Adam {
 public:
  /// On a CPU the threads of `pool`, which must outlive this, share out the weights. Those that config.freeze names
  /// stay as they are, and their gradients count for nothing. Throws Error (usage) if it names a layer that is not
  /// there, or all.
  Adam(NamedTensors parameters, const OptimizerConfig& config, ThreadPool& pool);

  /// Norm of all gradients together.
  double gradient_norm() const;

  /// `gradient_scale` multiplies every gradient first: clip_scale() for clipping.
  void step(double lr, double gradient_scale = 1);
  void zero_grad();

  std::int64_t steps() const noexcept { return steps_; }
  const NamedTensors& exp_avg() const noexcept { return exp_avg_; }
  const NamedTensors& exp_avg_sq() const noexcept { return exp_avg_sq_; }

  /// Takes up saved moments. Throws Error (usage) if they do not fit the parameters.
  void restore(const NamedTensors& exp_avg, const NamedTensors& exp_avg_sq, std::int64_t steps);

 private:
  /// Part of one weight; what a thread takes at a time.
  struct Chunk {
    std::size_t parameter;
    std::int64_t begin, end;
  };

  bool on_cpu() const;

  NamedTensors parameters_;
  const OptimizerConfig& config_;
  ThreadPool& pool_;
  std::vector<std::size_t> trained_;  ///< parameters that are not frozen
  std::vector<Chunk> chunks_;         ///< of these
  NamedTensors exp_avg_;
  NamedTensors exp_avg_sq_;
  std::int64_t steps_ = 0;
};

/// What brings gradients of this norm down to `max_norm` (Pascanu et al. 2013); 1 if they are below, or max_norm is 0.
double clip_scale(double norm, double max_norm);

}  // namespace charnn
