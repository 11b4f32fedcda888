#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>
#include "core/sample/sampler.h"
#include "fast/stepper.h"

namespace charnn {
struct BeamText {
  std::vector<std::int64_t> ids;  ///< without the stop at its end
  double nats = 0;                ///< -log of its probability, including the stop
  bool stopped = false;
};

/// Searches for the most likely text: keeps the `sampler.config().beams` most likely beginnings, and extends each by
/// every symbol (Lowerre 1976, "The Harpy speech recognition system"). Of the texts that end with one of `stops` or
/// after `config().length` symbols, returns the one with the fewest nats per symbol. Bias, only and the penalties
/// apply; temperature and filters do not. `keep_on` is called before each symbol, including the prompt's; false ends
/// the search with the best text so far. Deterministic.
BeamText beam_search(Stepper& stepper, std::span<const std::int64_t> prompt, std::span<const std::int64_t> separator,
                     const std::vector<std::vector<std::int64_t>>& stops, const Sampler& sampler,
                     const std::function<bool()>& keep_on);
}  // namespace charnn
