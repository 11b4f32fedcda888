#pragma once
#include <cstdint>
#include <numbers>

namespace charnn {
/// What an evaluation found.
struct EvalResult {
  double nats = 0;         ///< summed cross-entropy
  std::int64_t chars = 0;  ///< predicted characters: all but the split's first

  double loss() const { return nats / static_cast<double>(chars); }  ///< nats per character
};

inline double bits(double nats) { return nats / std::numbers::ln2; }
}  // namespace charnn
