#pragma once
#include <cstdint>
#include "core/model/model_config.h"
#include "fast/fast_network.h"

namespace charnn {
/// Dropout's masks in a window of training. None is kept: each is made again from the window's seed where it is needed,
/// in the backward pass too, and does not depend on how threads share out the work.
class Masks {
 public:
  Masks(const ModelConfig& config, const FastWindow& window) : config_(config), window_(window) {}

  double rate_after(std::int64_t layer) const { return window_.training ? config_.dropout_after(layer) : 0; }
  double rate_of_input() const { return window_.training ? config_.input_dropout : 0; }
  double rate_of_symbols() const { return window_.training ? config_.embedding_dropout : 0; }
  double rate_of_weights() const { return window_.training ? config_.weight_dropout : 0; }

  /// Which mask rows step t of stream b takes: masks of a window are the same at all steps.
  std::int64_t row(std::int64_t t, std::int64_t b) const { return (lasts() ? 0 : t * window_.streams) + b; }

  /// The output of a layer: block p of the units at step t, `count` streams from `begin` on.
  void after(std::int64_t layer, std::int64_t p, std::int64_t t, std::int64_t begin, std::int64_t count,
             const float* in, float* out) const;
  /// Block p of an embedded symbol, in place; `row` as row() says.
  void input(std::int64_t p, std::int64_t row, float* block) const;
  /// Whole symbols: n factors, each 0 or 1 / (1 - embedding_dropout).
  void symbols(float* factors, std::int64_t n) const;
  /// Elements [first, first + n) of a layer's hidden-to-hidden matrix, or of its gradient.
  void weights(std::int64_t layer, const float* in, float* out, std::int64_t first, std::int64_t n) const;

 private:
  bool lasts() const { return config_.dropout_mask == DropoutMask::window; }
  /// Multiples of the golden ratio lie far apart.
  std::uint64_t seed(std::int64_t number) const {
    return window_.dropout_seed + static_cast<std::uint64_t>(number) * 0x9e3779b97f4a7c15U;
  }
  std::int64_t rows() const { return (lasts() ? 1 : window_.steps) * window_.streams; }

  const ModelConfig& config_;
  const FastWindow& window_;
};
}  // namespace charnn
