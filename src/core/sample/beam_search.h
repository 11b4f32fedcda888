#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>
#include "core/sample/sampler.h"
#include "fast/stepper.h"

namespace charnn {
/// A text as beam search finds it.
struct BeamText {
  std::vector<std::int64_t> ids;  ///< without the stop it ended with
  double nats = 0;                ///< -log of its probability, the stop's included
  bool stopped = false;
};

/// Looks for the likeliest text: keeps the `sampler.config().beams` likeliest beginnings, and lengthens each by every
/// symbol (Lowerre 1976, "The Harpy speech recognition system"). Of the texts that end with one of `stops` or after
/// `config().length` symbols, the one with the fewest nats per symbol is returned. Bias, only and the penalties count;
/// temperature, filters and chance do not. `keep_on` is asked before each symbol, the prompt's too; false ends the
/// search with the best so far. The same arguments give the same text.
BeamText beam_search(Stepper& stepper, std::span<const std::int64_t> prompt, std::span<const std::int64_t> separator,
                     const std::vector<std::vector<std::int64_t>>& stops, const Sampler& sampler,
                     const std::function<bool()>& keep_on);
}  // namespace charnn
