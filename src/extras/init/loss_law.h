#pragma once
#include <array>
#include <cstdint>

namespace charnn {
/// A network that charnn init may propose, and the learning rate that suits it at 32 streams of 64 characters. Those of
/// two layers have skip connections.
struct NetworkSize {
  std::int64_t layers, hidden, embedding;
  double lr;
};
inline constexpr std::array<NetworkSize, 4> network_sizes{
    {{1, 64, 64, 0.006}, {2, 128, 256, 0.005}, {2, 256, 256, 0.0035}, {2, 512, 256, 0.0025}}};

/// What the two smallest networks reach on a text in a million characters, which takes seconds to find out: nats per
/// character of validation.
inline constexpr std::int64_t yardstick_chars = 1'000'000;
using Yardsticks = std::array<double, 2>;

/// Validation loss of a network of that size after training on `chars` characters from a text of `train_chars`, by a
/// law fitted to the runs in bench/results (bench/init_law.py; docs/quality.md):
///
///   loss = first yardstick * exp((exp(-F) - 1) / 1.25) * (passes * weights / train_chars / 271)^0.04
///   F = s (S of the first yardstick - S(n, E))
///
/// where s is such that the second yardstick comes out, and the last factor counts only where it is above 1 (a network
/// that remembers the text). The loss can fall to exp(-1 / 1.25) of the first yardstick. n: logarithm of the weights,
/// relative to the smallest network's. E: the text's worth in millions of characters, where further passes are worth
/// less and less (Muennighoff et al. 2023, "Scaling data-constrained language models").
double expected_loss(const Yardsticks& yardsticks, const NetworkSize& size, double chars, double train_chars);

/// Dropout, with masks of a window, for so many passes over the text; as in those runs.
double suitable_dropout(const NetworkSize& size, double passes);
}  // namespace charnn
