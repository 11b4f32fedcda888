// The fused path in training: gradients by differences, dropout, and weights that change or are no numbers.
#include <cmath>
#include <functional>
#include <limits>

#include <gtest/gtest.h>

#include "core/model/network.h"
#include "kernels/gemm.h"

namespace charnn {
namespace {

constexpr std::int64_t V = 13, T = 9, B = 6;

struct Scene {
  explicit Scene(Cell cell, double dropout = 0)
      : model({.cell = cell, .layers = 2, .hidden = 19, .embedding = 7, .dropout = dropout}, seeded()) {
    // Every symbol occurs, but the last one not as a target.
    ids = torch::arange(T * B, torch::kInt64).mul_(5).remainder_(V).reshape({T, B});
    targets = torch::randint(0, V - 1, {T, B}, torch::kInt64);
    state.h = 0.5 * torch::randn({2, B, 19});
    if (cell == Cell::lstm) state.c = torch::randn({2, B, 19});
  }

  static std::int64_t seeded() { return torch::manual_seed(12), V; }

  torch::Tensor loss(std::uint64_t seed = 3) {
    torch::manual_seed(seed);
    return model.loss(ids, targets, state).mean;
  }

  /// Loss and gradients of a step.
  std::vector<torch::Tensor> step(std::uint64_t seed, Precision precision, int threads) {
    model.use(precision, threads);
    for (auto& weight : model.parameters()) weight.mutable_grad() = torch::Tensor();
    std::vector<torch::Tensor> all{loss(seed)};
    all[0].backward();
    for (const auto& [name, weight] : model.weights()) all.push_back(weight.grad().clone());
    return all;
  }

  /// Calls `change` for each tensor of weights alone, then `check` with its name, and puts the weights back.
  void each_changed(const std::function<void(torch::Tensor&)>& change,
                    const std::function<void(const std::string&)>& check) {
    for (auto& [name, weight] : model.weights()) {
      const torch::Tensor before = weight.detach().clone();
      const torch::NoGradGuard no_grad;
      change(weight);
      check(name);
      weight.copy_(before);
    }
  }

  CharRnn model;
  torch::Tensor ids, targets;
  State state;
};

class FusedTraining : public testing::TestWithParam<Cell> {};

TEST_P(FusedTraining, GradientsMatchDifferences) {
  for (const double dropout : {0.0, 0.5}) {
    Scene scene(GetParam(), dropout);
    scene.step(3, Precision::fp32, 1);
    for (auto& [name, weight] : scene.model.weights()) {
      const torch::Tensor gradient = weight.grad().clone();
      const double size = gradient.norm().item<double>();
      ASSERT_GT(size, 0) << name;
      // Along the gradient, and along something random.
      for (const torch::Tensor& direction : {gradient / size, torch::randn_like(gradient)}) {
        const torch::NoGradGuard no_grad;
        const torch::Tensor before = weight.detach().clone();
        constexpr double step = 0.01;
        weight.add_(direction, step);
        const double up = scene.loss().item<double>();
        weight.copy_(before).sub_(direction, step);
        const double down = scene.loss().item<double>();
        weight.copy_(before);
        EXPECT_NEAR((up - down) / (2 * step), (gradient * direction).sum().item<double>(), 0.01 * size)
            << name << ", dropout " << dropout;
      }
    }
  }
}

TEST_P(FusedTraining, DropoutDependsOnTheSeedOnly) {
  Scene scene(GetParam(), 0.5);
  const auto same = [](const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!torch::equal(a[i], b[i])) return false;
    return true;
  };
  std::vector<Precision> precisions{Precision::fp32};
  if (bf16_unit() != Bf16Unit::none) precisions.push_back(Precision::bf16);
  for (const Precision precision : precisions) {
    const auto first = scene.step(3, precision, 1);
    EXPECT_TRUE(same(first, scene.step(3, precision, 1)));
    EXPECT_TRUE(same(first, scene.step(3, precision, 3)));
    EXPECT_FALSE(torch::equal(first[0], scene.step(4, precision, 1)[0]));
  }
}

TEST_P(FusedTraining, ChangedWeightsAreTakenUp) {
  Scene scene(GetParam());
  const double before = scene.loss().item<double>();
  scene.each_changed([](torch::Tensor& weight) { weight.add_(torch::randn_like(weight), 0.3); },
                     [&](const std::string& name) {
                       EXPECT_GT(std::abs(scene.loss().item<double>() - before), 1e-4) << name;
                       const double nats =
                           scene.model.nats(scene.ids, scene.targets, scene.state).nats.mean().item<double>();
                       EXPECT_NEAR(nats, scene.loss().item<double>(), 1e-5) << name;
                     });
  EXPECT_EQ(scene.loss().item<double>(), before);
}

TEST_P(FusedTraining, NanInAnyWeightMakesTheLossNan) {
  Scene scene(GetParam());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (std::int64_t at = 0; at < 60; at += 7)
    scene.each_changed([&](torch::Tensor& weight) { weight.view({-1})[-1 - at % weight.numel()] = nan; },
                       [&](const std::string& name) {
                         EXPECT_TRUE(std::isnan(scene.loss().item<double>())) << name << " " << at;
                         const torch::Tensor nats = scene.model.nats(scene.ids, scene.targets, scene.state).nats;
                         EXPECT_TRUE(std::isnan(nats.sum().item<double>())) << name << " " << at;
                       });
}

TEST_P(FusedTraining, InfiniteDecoderMakesTheLossInfiniteOrNan) {
  Scene scene(GetParam());
  scene.each_changed([](torch::Tensor& weight) { weight.view({-1})[-1] = std::numeric_limits<float>::infinity(); },
                     [&](const std::string& name) {
                       if (!name.starts_with("decoder")) return;
                       EXPECT_FALSE(std::isfinite(scene.loss().item<double>())) << name;
                     });
}

TEST_P(FusedTraining, DenormalWeightsAreHarmless) {
  Scene scene(GetParam());
  {
    const torch::NoGradGuard no_grad;
    for (auto& weight : scene.model.parameters()) weight.fill_(1e-40F);
  }
  const auto result = scene.step(3, Precision::fp32, 2);
  EXPECT_NEAR(result[0].item<double>(), std::log(static_cast<double>(V)), 1e-6);
  for (const torch::Tensor& gradient : result) EXPECT_TRUE(gradient.isfinite().all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Cells, FusedTraining, testing::Values(Cell::rnn, Cell::gru, Cell::lstm), [](const auto& cell) {
  return std::string(cell_names[static_cast<std::size_t>(cell.param)]);
});

}  // namespace
}  // namespace charnn
