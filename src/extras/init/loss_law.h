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

/// What takes seconds to find out about a text, in nats per character of validation.
struct Yardsticks {
  std::array<double, 2> networks = {};  ///< what the two smallest reach in a million characters
  double counting = 0;                  ///< what a 5-gram model reaches, see TextEntropy
};
inline constexpr std::int64_t yardstick_chars = 1'000'000;

/// Validation loss of a network of that size after training on `chars` characters from a text of `train_chars`, by a
/// law fitted to the runs in bench/results (bench/init_law.py; docs/quality.md):
///
///   loss = first network's * (lowest / first network's)^(1 - exp(-F)) * (passes / 9 * n^0.8)^0.055
///   lowest = 0.75 of the 5-gram model's, or 0.44 of the first network's if that is more
///   F = s (S of the first network - S(weights, E))
///
/// where s is such that the second network's loss comes out. The last factor, n: the weights relative to the largest
/// network's, counts only where it is above 1: the network remembers the text. S falls with the logarithm of the
/// weights and with E, the text's worth in millions of characters, where further passes are worth less and less
/// (Muennighoff et al. 2023, "Scaling data-constrained language models").
double expected_loss(const Yardsticks& yardsticks, const NetworkSize& size, double chars, double train_chars);

/// Dropout, with masks of a window, for so many passes over the text; as in those runs.
double suitable_dropout(const NetworkSize& size, double passes);
}  // namespace charnn
