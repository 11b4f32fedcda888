#pragma once

#include <cstdint>
#include <vector>

#include "charnn/model/network.h"
#include "charnn/model/reference_cell.h"

namespace charnn {

/// Recurrent state of one stream. Make it with Stepper::zero_state().
struct StepState {
  std::vector<std::vector<float>> h;  ///< [layers][H]
  std::vector<std::vector<float>> c;  ///< [layers][H], used by lstm
  CellTape<float> scratch;            ///< working memory, so that the stepper itself stays const
};

/// The network one symbol at a time, on the CPU, without autograd: made for sampling. It holds a copy of the
/// weights, so that training may go on beside it.
class Stepper {
 public:
  explicit Stepper(const CharRnn& model);

  StepState zero_state() const;

  /// Feeds `id`, moves `state` on, and writes the logits [V] of the symbol that follows.
  void step(StepState& state, std::int64_t id, std::vector<float>& logits) const;

  std::int64_t vocabulary_size() const noexcept { return static_cast<std::int64_t>(decoder_bias_.size()); }

 private:
  ModelConfig config_;
  std::vector<float> encoder_;  ///< [V, E]
  std::vector<CellWeights<float>> layers_;
  std::vector<float> decoder_weight_;  ///< [H, V], transposed
  std::vector<float> decoder_bias_;    ///< [V]
};

}  // namespace charnn
