#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>
#include <gtest/gtest.h>
#include "core/data/batcher.h"
#include "core/model/char_rnn.h"
#include "core/model/network.h"

// Windows of random text, and what LibTorch's own modules make of them in double precision: the CPU path is held
// against that.
namespace charnn::test {

/// `starts`: the share of symbols with which a document starts; 0: no documents.
inline Batch random_batch(std::int64_t steps, std::int64_t streams, std::int64_t vocabulary, unsigned seed,
                          double starts = 0) {
  Batch batch(steps, streams, starts > 0);
  std::mt19937 random(seed);
  std::uniform_int_distribution<std::int64_t> symbol(0, vocabulary - 1);
  for (std::int64_t& id : batch.input) id = symbol(random);
  for (std::int64_t& id : batch.target) id = symbol(random);
  std::bernoulli_distribution start(starts);
  for (std::uint8_t& s : batch.starts) s = start(random) ? 1 : 0;
  return batch;
}

inline State random_state(const ModelConfig& config, std::int64_t streams, unsigned seed) {
  State state = State::zeros(config, streams);
  std::mt19937 random(seed);
  const auto fill = [&](AlignedFloats& part, float deviation) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> rows(static_cast<std::size_t>(config.layers * streams * config.hidden));
    for (float& x : rows) x = normal(random);
    from_rows(rows, state, part);
  };
  fill(state.h, 0.5F);
  if (state.has_c) fill(state.c, 1);
  return state;
}

inline torch::Tensor tensor_of(const Batch& batch, const auto& values) {
  return values.empty() ? torch::Tensor() : torch::tensor(values).reshape({batch.steps, batch.streams});
}

/// CharRnn in double precision with these weights.
inline std::unique_ptr<CharRnn> reference(const NetworkLayout& layout, std::span<const float> weights) {
  auto module = std::make_unique<CharRnn>(layout);
  const torch::NoGradGuard no_grad;
  auto parameters = module->named_parameters();
  for (const WeightInfo& weight : layout.weights())
    parameters[weight.name].copy_(
        torch::from_blob(const_cast<float*>(weights.data() + weight.offset), torch::IntArrayRef(weight.shape)));
  module->to(torch::kDouble);
  return module;
}

inline std::unique_ptr<CharRnn> reference(const Network& network) {
  return reference(network.layout(), network.weights().to_host());
}

/// What comes of a window of training.
struct Trained {
  double loss;
  std::vector<double> h, c;       ///< the state after it, [layers, streams, hidden]
  std::vector<double> gradients;  ///< of all weights, as the layout has them
};

inline std::vector<double> doubles(const torch::Tensor& tensor) {
  if (!tensor.defined()) return {};
  const torch::Tensor values = tensor.detach().to(torch::kDouble).contiguous();
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

inline std::vector<double> doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

inline Trained trained(double loss, const State& state, const std::vector<float>& gradients) {
  return {loss, doubles(to_rows(state, state.h)),
          state.has_c ? doubles(to_rows(state, state.c)) : std::vector<double>(), doubles(gradients)};
}

inline Trained train(Network& network, const Batch& batch, State state) {
  const double loss = network.train_window(batch, state);
  return trained(loss, state, network.gradients().to_host());
}

inline CharRnn::State torch_state(const State& state, torch::ScalarType type) {
  const auto tensor = [&](const AlignedFloats& part) {
    return torch::tensor(to_rows(state, part)).reshape({state.layers, state.streams, state.hidden}).to(type);
  };
  return {tensor(state.h), state.has_c ? tensor(state.c) : torch::Tensor()};
}

inline Trained train_reference(const NetworkLayout& layout, std::span<const float> weights, const Batch& batch,
                               const State& state, const DropoutFactors& masks = {}) {
  const std::unique_ptr<CharRnn> module = reference(layout, weights);
  auto [logits, next] = module->forward(tensor_of(batch, batch.input), torch_state(state, torch::kDouble),
                                        tensor_of(batch, batch.starts), masks);
  const torch::Tensor loss = torch::nn::functional::cross_entropy(logits.reshape({-1, layout.vocabulary_size()}),
                                                                  tensor_of(batch, batch.target).reshape({-1}));
  loss.backward();
  std::vector<double> gradients;
  auto parameters = module->named_parameters();
  for (const WeightInfo& weight : layout.weights()) {
    const std::vector<double> gradient = doubles(parameters[weight.name].grad());
    gradients.insert(gradients.end(), gradient.begin(), gradient.end());
  }
  return {loss.item<double>(), doubles(next.h), doubles(next.c), std::move(gradients)};
}

/// Largest difference, as a share of the largest value expected. NaN where there is NaN.
inline double difference(std::span<const double> actual, std::span<const double> expected) {
  EXPECT_EQ(actual.size(), expected.size());
  double largest = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = std::abs(actual[i] - expected[i]);
    if (std::isnan(d) || d > largest) largest = d;
    size = std::max(size, std::abs(expected[i]));
  }
  return largest / (size + 1e-12);
}

inline void expect_near(const NetworkLayout& layout, const Trained& actual, const Trained& expected, double tolerance) {
  EXPECT_NEAR(actual.loss, expected.loss, tolerance * expected.loss);
  EXPECT_LT(difference(actual.h, expected.h), tolerance) << "h";
  EXPECT_LT(difference(actual.c, expected.c), tolerance) << "c";
  ASSERT_EQ(static_cast<std::int64_t>(actual.gradients.size()), layout.size());
  for (const WeightInfo& weight : layout.weights()) {
    const auto part = [&](const Trained& of) {
      return std::span(of.gradients)
          .subspan(static_cast<std::size_t>(weight.offset), static_cast<std::size_t>(weight.size));
    };
    EXPECT_LT(difference(part(actual), part(expected)), tolerance) << weight.name;
  }
}

inline void expect_same(const Trained& a, const Trained& b) {
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_TRUE(a.h == b.h) << "h";
  EXPECT_TRUE(a.c == b.c) << "c";
  EXPECT_TRUE(a.gradients == b.gradients) << "gradients";
}

/// As torch::allclose: |a - b| <= absolute + relative |b| everywhere.
inline bool all_close(std::span<const double> a, std::span<const double> b, double relative, double absolute) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= absolute + relative * std::abs(b[i]))) return false;
  return true;
}

}  // namespace charnn::test
