#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>
#include "core/base/random.h"

namespace charnn {
/// log p of V symbols, in nats; -infinity: impossible. The filters below take a row whose probabilities add up to 1 and
/// leave such a row, with at least one possible symbol. Equal probabilities are ordered by symbol number.
using LogRow = std::span<float>;

/// Turns any finite logits into the log of their softmax.
void normalize(LogRow row);

/// p_i ~ p_i exp(bias_i). At least one bias must be above -infinity.
void add_bias(LogRow row, std::span<const float> bias);

/// p_i ~ p_i^penalty where counts_i > 0 (penalty from 0.01 to 100): above 1, recent symbols become less likely.
/// (Keskar et al. 2019, "CTRL", apply it to the logits, where the result depends on a constant added to all of them.)
void penalize_repetition(LogRow row, std::span<const std::int32_t> counts, double penalty);

/// p_i ~ p_i exp(-penalty counts_i).
void penalize_frequency(LogRow row, std::span<const std::int32_t> counts, double penalty);

/// p_i ~ p_i^(1 / temperature) (Ackley, Hinton, Sejnowski 1985). temperature > 0.
void apply_temperature(LogRow row, double temperature);

/// Keeps the k most likely symbols (Fan, Lewis, Dauphin 2018, "Hierarchical neural story generation"). k >= 1.
void keep_top_k(LogRow row, std::int64_t k);

/// Keeps the fewest symbols, most likely first, whose probabilities add up to `share` (Holtzman et al. 2020, "The
/// curious case of neural text degeneration").
void keep_top_p(LogRow row, double share);

/// Keeps symbols at least `share` times as likely as the most likely one (Nguyen et al. 2024, "Turning up the heat").
void keep_min_p(LogRow row, double share);

/// Keeps the fewest symbols whose probabilities add up to `share`, starting with those whose -log p is nearest to the
/// entropy of the row (Meister et al. 2023, "Locally typical sampling").
void keep_typical(LogRow row, double share);

/// Draws a symbol with p_i ~ exp((row_i - shift) scale), which must not overflow.
std::int64_t draw_from(std::span<const float> row, Random& random, float shift = 0, float scale = 1);

/// The most likely symbol.
std::int64_t likeliest(std::span<const float> row);

/// The `count` most likely symbols (or all) for these logits, with their probabilities.
std::vector<std::pair<std::int64_t, double>> most_likely(std::span<const float> logits, std::int64_t count);
}  // namespace charnn
