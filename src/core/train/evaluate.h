#pragma once
#include <cstdint>
#include <functional>
#include <numbers>
#include <optional>
#include <span>
#include "core/data/corpus.h"
#include "core/model/network.h"

namespace charnn {
struct EvalResult {
  double nats = 0;                                                   ///< summed cross-entropy
  std::int64_t chars = 0;                                            ///< predicted: all but the split's first
  double loss() const { return nats / static_cast<double>(chars); }  ///< nats per character
};
inline double bits(double nats) { return nats / std::numbers::ln2; }

struct EvalOptions {
  /// 0: the state is carried over the whole split. N: the split is cut into windows of N predictions, each from a zero
  /// state, which is how transformers with that block size are scored.
  std::int64_t window = 0;
  /// Carried state only: the split is read as this many parallel streams, and all but the first warm up their state on
  /// the 256 characters before them. 0: up to 64, as long as the warm-up stays below a tenth.
  std::int64_t streams = 0;
  /// Receives each prediction once, in chunks, in no particular order: -log p in nats of the symbols from `first` on.
  std::function<void(std::int64_t first, std::span<const float> nats)> each = {};
  std::function<bool()> stop = {};  ///< polled; true ends the evaluation without a result
};

/// Cross-entropy over the whole split, each character predicted once, without dropout; training is not affected. Throws
/// Error (usage) for a split of fewer than two characters. Returns nothing if stopped.
std::optional<EvalResult> evaluate(Network& network, const Corpus& corpus, Split split,
                                   const EvalOptions& options = {});
}  // namespace charnn
