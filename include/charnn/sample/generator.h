#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "charnn/base/random.h"
#include "charnn/data/vocabulary.h"
#include "charnn/model/stepper.h"
#include "charnn/sample/sample_config.h"

namespace charnn {

/// Draws an index with probability softmax(logits / temperature) (Ackley, Hinton, Sejnowski 1985);
/// temperature 0 takes the largest logit, the first one among equals.
std::int64_t draw(std::span<const float> logits, double temperature, Random& random);

/// Feeds `prompt` to the network, then draws `config.length` symbols, each fed back, and hands each id to
/// `emit` at once; `emit` returns false to stop early. An empty prompt counts as a line break that is not
/// shown, so that the text begins as a line does; without a line break in the vocabulary the first symbol is
/// drawn evenly. The same arguments give the same symbols.
void generate(const Stepper& stepper, const Vocabulary& vocabulary, std::span<const std::int64_t> prompt,
              const SampleConfig& config, std::uint64_t seed, const std::function<bool(std::int64_t)>& emit);

/// The same for one text per seed, side by side; `emit` is told which of them. Side by side they are several
/// times as fast, and each is the text of its seed but for rounding.
void generate(const Stepper& stepper, const Vocabulary& vocabulary, std::span<const std::int64_t> prompt,
              const SampleConfig& config, std::span<const std::uint64_t> seeds,
              const std::function<bool(std::size_t text, std::int64_t id)>& emit);

}  // namespace charnn
