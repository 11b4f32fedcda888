#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include "core/data/corpus.h"
#include "core/model/network.h"
#include "core/train/eval_result.h"

namespace charnn {
struct EvalOptions {
  /// 0: the state is carried over the whole split. N: the split is cut into windows of N predictions, each from a zero
  /// state: how transformers with that block size are scored.
  std::int64_t window = 0;

  /// Carried state only. The split is read as this many streams at once, each but the first getting its state from the
  /// `warmup` characters before it; 1: one unbroken stream. 0: as many as 64, if the warm-up stays below a tenth.
  std::int64_t streams = 0;
  std::int64_t warmup = 256;

  /// Told of every prediction once, a stretch of them at a time, in no particular order: -log p, in nats, of the
  /// split's symbols from `first` on.
  std::function<void(std::int64_t first, std::span<const float> nats)> each = {};

  std::function<bool()> stop = {};  ///< asked now and then; true ends the evaluation without a result
};

/// Cross-entropy over the whole split, every character predicted once, without dropout. No state of training is touched. Throws Error (usage) for a split of fewer than two
/// characters. Returns nothing if stopped.
std::optional<EvalResult> evaluate(Network& network, const Corpus& corpus, Split split,
                                   const EvalOptions& options = {});
}  // namespace charnn
