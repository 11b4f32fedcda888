#pragma once
#include <array>
#include <cstdint>

namespace charnn {
/// A network that charnn init may propose, and the learning rate that suits it at 32 streams of 64 characters.
struct NetworkSize {
  std::int64_t layers, hidden;
  double lr;
};
inline constexpr std::array<NetworkSize, 4> network_sizes{
    {{1, 64, 0.006}, {2, 128, 0.005}, {2, 256, 0.0035}, {2, 512, 0.0025}}};

/// The validation loss of a text is foretold as a multiple of what the smallest network reaches on it in this many
/// characters, which takes seconds to find out.
inline constexpr std::int64_t yardstick_chars = 1'000'000;

/// Validation loss of a network of that size after training on `chars` characters from a text of `train_chars`, as a
/// multiple of the yardstick's. Fitted to the runs in bench/results (bench/init_law.py; docs/quality.md):
///   relative = (b N^-c + d E^-e) / the same for the yardstick
/// N: weights of the recurrent layers in 100,000; E: the text's worth in millions of characters, where further passes
/// are worth less and less (Muennighoff et al. 2023, "Scaling data-constrained language models").
double relative_loss(const NetworkSize& size, double chars, double train_chars);

/// Dropout, with masks of a window, for so many passes over the text; as in those runs.
double suitable_dropout(const NetworkSize& size, double passes);
}  // namespace charnn
