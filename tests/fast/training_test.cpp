// The CPU path in training: gradients by differences, dropout, and weights that change or are no numbers.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <gtest/gtest.h>
#include "core/model/network.h"
#include "core/model/torch_runtime.h"
#include "kernels/gemm.h"
#include "tests/core/model/reference.h"

namespace charnn {
namespace {

constexpr std::int64_t V = 13, T = 9, B = 6;

std::vector<float> random_vector(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& x : values) x = normal(random);
  return values;
}

struct Scene {
  /// Every symbol occurs, but the last one not as a target.
  explicit Scene(Cell cell, double dropout = 0, DropoutMask mask = DropoutMask::step)
      : network({.cell = cell,
                 .layers = 2,
                 .hidden = 19,
                 .embedding = 7,
                 .dropout = dropout,
                 .output_dropout = dropout / 2,
                 .input_dropout = dropout / 2,
                 .embedding_dropout = dropout / 3,
                 .weight_dropout = dropout / 2,
                 .dropout_mask = mask,
                 .decoder_input = mask == DropoutMask::window ? DecoderInput::sum : DecoderInput::last},
                (seed_generators(12), V)),
        batch(test::random_batch(T, B, V - 1, 13)),
        state(test::random_state(network.config(), B, 14)) {
    for (std::int64_t i = 0; i < T * B; ++i) batch.input[static_cast<std::size_t>(i)] = i * 5 % V;
  }

  double loss(std::uint64_t seed = 3) {
    seed_generators(seed);
    State next = state;
    return network.train_window(batch, next);
  }

  double mean_score() {
    State next = state;
    std::vector<float> nats(batch.input.size());
    network.score_window(batch, next, nats);
    return std::accumulate(nats.begin(), nats.end(), 0.0) / static_cast<double>(nats.size());
  }

  test::Trained step(std::uint64_t seed, Precision precision, int threads) {
    network.configure({.training = precision, .threads = threads});
    seed_generators(seed);
    return test::train(network, batch, state);
  }

  std::span<float> change(const WeightInfo& weight) {
    return {network.change_weights().data() + weight.offset, static_cast<std::size_t>(weight.size)};
  }

  /// Calls `change_it` for each tensor of weights alone, then `check` with its name, and puts the weights back.
  void each_changed(const std::function<void(std::span<float>)>& change_it,
                    const std::function<void(const std::string&)>& check) {
    for (const WeightInfo& weight : network.layout().weights()) {
      const std::span<float> values = change(weight);
      const std::vector<float> before(values.begin(), values.end());
      change_it(values);
      check(weight.name);
      std::copy(before.begin(), before.end(), change(weight).begin());
    }
  }

  Network network;
  Batch batch;
  State state;
};

class Training : public testing::TestWithParam<Cell> {};

TEST_P(Training, GradientsMatchDifferences) {
  for (const auto& [dropout, mask] :
       {std::pair(0.0, DropoutMask::step), std::pair(0.5, DropoutMask::step), std::pair(0.5, DropoutMask::window)}) {
    Scene scene(GetParam(), dropout, mask);
    const std::vector<double> gradients = scene.step(3, Precision::fp32, 1).gradients;
    unsigned seed = 20;
    for (const WeightInfo& weight : scene.network.layout().weights()) {
      const auto n = static_cast<std::size_t>(weight.size);
      const std::span gradient = std::span(gradients).subspan(static_cast<std::size_t>(weight.offset), n);
      const double size = std::sqrt(std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0));
      ASSERT_GT(size, 0) << weight.name;
      // Along the gradient, and along something random.
      std::vector<float> along(n);
      for (std::size_t i = 0; i < n; ++i) along[i] = static_cast<float>(gradient[i] / size);
      for (const std::vector<float>& direction : {along, random_vector(n, seed++)}) {
        constexpr float step = 0.01F;
        const std::span<float> values = scene.change(weight);
        const std::vector<float> before(values.begin(), values.end());
        const auto loss_at = [&](float distance) {
          const std::span<float> moved = scene.change(weight);
          for (std::size_t i = 0; i < n; ++i) moved[i] = before[i] + distance * direction[i];
          return scene.loss();
        };
        const double up = loss_at(step), down = loss_at(-step);
        loss_at(0);
        const double expected = std::inner_product(gradient.begin(), gradient.end(), direction.begin(), 0.0);
        EXPECT_NEAR((up - down) / (2 * step), expected, 0.01 * size) << weight.name << ", dropout " << dropout;
      }
    }
  }
}

TEST_P(Training, DropoutDependsOnTheSeedOnly) {
  Scene scene(GetParam(), 0.5);
  std::vector<Precision> precisions{Precision::fp32};
  if (bf16_unit() != Bf16Unit::none) precisions.push_back(Precision::bf16);
  for (const Precision precision : precisions) {
    const test::Trained first = scene.step(3, precision, 1);
    test::expect_same(first, scene.step(3, precision, 1));
    test::expect_same(first, scene.step(3, precision, 3));
    EXPECT_NE(first.loss, scene.step(4, precision, 1).loss);
  }
}

/// One thread, and two and three, which share out the units: see shares_units() in workspace.cpp. Several chunks of
/// steps, units that fill no pair of blocks, documents that begin within a chunk and with one.
TEST_P(Training, ThreadsThatShareOutUnitsChangeNoBit) {
  constexpr std::int64_t steps = 24, streams = 24;
  const std::int64_t hidden = GetParam() == Cell::rnn ? 750 : 520;
  Network network({.cell = GetParam(),
                   .layers = 2,
                   .hidden = hidden,
                   .embedding = 7,
                   .dropout = 0.3,
                   .decoder_input = GetParam() == Cell::gru ? DecoderInput::last : DecoderInput::sum},
                  (seed_generators(12), V));
  Batch batch = test::random_batch(steps, streams, V, 13);
  batch.starts.assign(batch.input.size(), 0);
  for (const std::int64_t t : {0, 1, 9, 10, 11}) batch.starts[t * streams + t] = 1;
  const State state = test::random_state(network.config(), streams, 14);
  std::vector<Precision> precisions{Precision::fp32};
  if (bf16_unit() != Bf16Unit::none) precisions.push_back(Precision::bf16);
  for (const Precision precision : precisions) {
    const auto step = [&](int threads) {
      network.configure({.training = precision, .threads = threads});
      seed_generators(3);
      return test::train(network, batch, state);
    };
    const test::Trained alone = step(1);
    test::expect_same(alone, step(2));
    test::expect_same(alone, step(3));
  }
}

TEST_P(Training, ChangedWeightsAreTakenUp) {
  Scene scene(GetParam());
  const double before = scene.loss();
  scene.each_changed(
      [](std::span<float> weight) {
        const std::vector<float> change = random_vector(weight.size(), 30);
        for (std::size_t i = 0; i < weight.size(); ++i) weight[i] += 0.3F * change[i];
      },
      [&](const std::string& name) {
        EXPECT_GT(std::abs(scene.loss() - before), 1e-4) << name;
        EXPECT_NEAR(scene.mean_score(), scene.loss(), 1e-5) << name;
      });
  EXPECT_EQ(scene.loss(), before);
}

TEST_P(Training, NanInAnyWeightMakesTheLossNan) {
  Scene scene(GetParam());
  for (std::size_t at = 0; at < 60; at += 7)
    scene.each_changed(
        [&](std::span<float> weight) {
          weight[weight.size() - 1 - at % weight.size()] = std::numeric_limits<float>::quiet_NaN();
        },
        [&](const std::string& name) {
          EXPECT_TRUE(std::isnan(scene.loss())) << name << " " << at;
          EXPECT_TRUE(std::isnan(scene.mean_score())) << name << " " << at;
        });
}

TEST_P(Training, InfiniteDecoderMakesTheLossInfiniteOrNan) {
  Scene scene(GetParam());
  scene.each_changed([](std::span<float> weight) { weight.back() = std::numeric_limits<float>::infinity(); },
                     [&](const std::string& name) {
                       if (!name.starts_with("decoder")) return;
                       EXPECT_FALSE(std::isfinite(scene.loss())) << name;
                     });
}

TEST_P(Training, DenormalWeightsAreHarmless) {
  Scene scene(GetParam());
  std::fill_n(scene.network.change_weights().data(), scene.network.layout().size(), 1e-40F);
  const test::Trained result = scene.step(3, Precision::fp32, 2);
  EXPECT_NEAR(result.loss, std::log(static_cast<double>(V)), 1e-6);
  EXPECT_TRUE(std::all_of(result.gradients.begin(), result.gradients.end(), [](double g) { return std::isfinite(g); }));
}

INSTANTIATE_TEST_SUITE_P(Cells, Training, testing::Values(Cell::rnn, Cell::gru, Cell::lstm), [](const auto& cell) {
  return std::string(cell_names[static_cast<std::size_t>(cell.param)]);
});

}  // namespace
}  // namespace charnn
