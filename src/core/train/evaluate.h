#pragma once
#include <cstdint>
#include <functional>
#include <numbers>
#include <optional>
#include <span>
#include "core/data/corpus.h"
#include "core/dist/group.h"
#include "core/model/network.h"

namespace charnn {
struct EvalResult {
  double nats = 0;                                                   ///< summed cross-entropy
  std::int64_t chars = 0;                                            ///< predicted
  double loss() const { return nats / static_cast<double>(chars); }  ///< nats per character
};
inline double bits(double nats) { return nats / std::numbers::ln2; }

struct EvalOptions {
  /// 0: the state is carried over the whole split. N: the split is cut into windows of N predictions, each from a zero
  /// state, which is how transformers with that block size are scored.
  std::int64_t window = 0;
  /// Carried state only: the split is read as this many parallel streams, and all but the first warm up their state on
  /// the 256 characters before them. 0: up to 64, as long as the warm-up is at most half of the work.
  std::int64_t streams = 0;
  /// Carried state only: symbols that are read before the split, which then is predicted from its first symbol on.
  std::vector<std::int64_t> opening = {};
  /// Receives each prediction once, in chunks, in no particular order: -log p in nats of the symbols from `first` on.
  std::function<void(std::int64_t first, std::span<const float> nats)> each = {};
  std::function<void(std::int64_t chars)> progress = {};  ///< called as symbols have been predicted, with their number
  std::function<bool()> stop = {};                        ///< polled; true ends the evaluation without a result
  Group* group = nullptr;  ///< processes that share out the streams; all get the result. Not with an opening
};

/// The first symbol that is predicted: 0 after an opening, else 1.
std::int64_t first_predicted(const EvalOptions& options);
/// How many symbols of the split are predicted. Throws Error (usage) if there are none.
std::int64_t require_predictions(Split split, const EvalOptions& options);

/// Cross-entropy over the whole split, each character predicted once, without dropout; training is not affected. Throws
/// Error (usage) for a split of fewer than two characters. Returns nothing if stopped.
std::optional<EvalResult> evaluate(Network& network, const Corpus& corpus, Split split,
                                   const EvalOptions& options = {});

/// The state after reading `ids` from a zero state.
State state_after(Network& network, std::span<const std::int64_t> ids);

/// The temperature at which a network predicts a split best, and its loss there: dividing logits by it makes up for a
/// network that is too sure of itself (above 1) or not enough (Guo et al. 2017, "On calibration of modern neural
/// networks"). Of the first 50,000 symbols.
struct Calibration {
  double temperature, loss;  ///< nats per symbol
  double plain_loss;         ///< at temperature 1, of the same symbols
  std::int64_t chars;        ///< how many they are
};
Calibration calibrate(Network& network, const Corpus& corpus, Split split);

/// About how many seconds evaluate() takes for that many characters: times a window.
double evaluation_seconds(Network& network, std::int64_t chars);
}  // namespace charnn
