#pragma once
#include <cstdint>
#include <span>
#include "core/base/random.h"

namespace charnn {
/// What shapes a row of probabilities before a symbol is drawn from it. A row p of V probabilities is held as log p, in
/// nats; -infinity: never. Each function takes a row that adds up to 1 and leaves one that does, and depends on nothing
/// else. At least one symbol stays possible; equals are told apart by their number, the lower first.
using LogRow = std::span<float>;

/// Any finite logits become the log of their softmax.
void normalize(LogRow row);

/// p_i ~ p_i exp(bias_i).
void add_bias(LogRow row, std::span<const float> bias);

/// p_i = 0 where allowed_i is 0. At least one symbol must be allowed.
void keep_only(LogRow row, std::span<const std::uint8_t> allowed);

/// p_i ~ p_i^penalty where counts_i > 0 (penalty from 0.01 to 100): above 1, what has just occurred is less likely.
/// (Keskar et al. 2019, "CTRL", do this to the logits, which makes it depend on what is added to all of them.)
void penalize_repetition(LogRow row, std::span<const std::int32_t> counts, double penalty);

/// p_i ~ p_i exp(-penalty counts_i).
void penalize_frequency(LogRow row, std::span<const std::int32_t> counts, double penalty);

/// p_i ~ p_i^(1 / temperature) (Ackley, Hinton, Sejnowski 1985). temperature > 0.
void apply_temperature(LogRow row, double temperature);

/// Keeps the k likeliest (Fan, Lewis, Dauphin 2018, "Hierarchical neural story generation"). k >= 1.
void keep_top_k(LogRow row, std::int64_t k);

/// Keeps the fewest symbols, the likeliest first, that have `share` of the probability together (Holtzman et al. 2020,
/// "The curious case of neural text degeneration").
void keep_top_p(LogRow row, double share);

/// Keeps what is at least `share` as likely as the likeliest (Nguyen et al. 2024, "Turning up the heat").
void keep_min_p(LogRow row, double share);

/// Keeps the fewest symbols that have `share` of the probability together, those first whose -log p is nearest to the
/// entropy of the row (Meister et al. 2023, "Locally typical sampling").
void keep_typical(LogRow row, double share);

/// Draws a symbol with its probability.
std::int64_t draw_from(std::span<const float> row, Random& random);

/// The likeliest symbol.
std::int64_t likeliest(std::span<const float> row);
}  // namespace charnn
