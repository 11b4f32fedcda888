#pragma once
#include "core/io/checkpoint.h"
#include "core/train/evaluate.h"

namespace charnn {
struct DynamicOptions {
  double rate = 1e-4;         ///< size of the steps
  double decay = 3e-3;        ///< how fast weights go back to the trained ones
  std::int64_t segment = 20;  ///< symbols from one step to the next
};

/// Dynamic evaluation (Krause et al. 2018, "Dynamic evaluation of neural sequence models"): a network that goes on
/// learning from the text it has just predicted. After each segment, with its mean gradient g,
///   w += decay_i (w_0 - w) - rate_i g,   rate_i = rate / (r_i + mean of r),   decay_i = min(1, decay r_i / mean of r)
/// where w_0 are the trained weights and r_i is the root of the second moment of the gradient that Adam has left.
class DynamicNetwork {
 public:
  /// `network` has the weights of `trained`, and no dropout. Throws Error (usage) if Adam has left no moments.
  DynamicNetwork(Network& network, const Checkpoint& trained, const DynamicOptions& options = {});

  /// Writes -log p of the targets to `nats`, moves `state` on, and then learns from the segment, of one stream.
  void score_and_learn(const Batch& segment, State& state, std::span<float> nats);

  const DynamicOptions& options() const noexcept { return options_; }
  Network& network() noexcept { return network_; }

 private:
  Network& network_;
  DynamicOptions options_;
  FlatArray trained_, rates_, decays_;
};

/// As evaluate(), as one unbroken stream; window and streams of `options` do not count.
std::optional<EvalResult> evaluate_dynamic(DynamicNetwork& dynamic, const Corpus& corpus, Split split,
                                           const EvalOptions& options = {});
}  // namespace charnn
