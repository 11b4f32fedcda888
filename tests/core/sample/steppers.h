#pragma once

#include <cstdint>
#include <string_view>
#include <vector>
#include "core/data/vocabulary.h"
#include "core/model/network.h"
#include "core/model/torch_runtime.h"
#include "fast/stepper.h"

namespace charnn::test {

/// A network of random weights; with a larger `scale` it is surer of what it writes.
inline Stepper random_stepper(const ModelConfig& config, std::int64_t symbols, std::uint64_t seed, int threads = 1,
                              float scale = 1) {
  seed_generators(seed);
  const Network network(config, symbols);
  std::vector<float> weights = network.weights().to_host();
  for (float& weight : weights) weight *= scale;
  return {network.layout(), std::move(weights), StepWeights::fp32, threads};
}

/// A network over all bytes that writes `text` over and over: after each of its bytes, of which none may occur twice,
/// it is sure of the next one.
inline Stepper spelling_stepper(std::string_view text) {
  const auto size = static_cast<std::int64_t>(text.size());
  const NetworkLayout layout({.cell = Cell::rnn, .layers = 1, .hidden = size, .embedding = size}, 256);
  std::vector<float> weights(static_cast<std::size_t>(layout.size()));
  const auto set = [&](const WeightInfo& weight, std::int64_t row, std::int64_t column, float value) {
    weights[static_cast<std::size_t>(weight.offset + row * size + column)] = value;
  };
  const auto byte_at = [&](std::int64_t i) {
    return static_cast<std::int64_t>(static_cast<unsigned char>(text[static_cast<std::size_t>(i % size)]));
  };
  for (std::int64_t i = 0; i < size; ++i) {
    set(layout.encoder(), byte_at(i), i, 5);
    set(layout.rnn(0, NetworkLayout::Part::weight_ih), i, i, 1);
    set(layout.decoder_weight(), byte_at(i + 1), i, 50);
  }
  return {layout, std::move(weights)};
}

}  // namespace charnn::test
