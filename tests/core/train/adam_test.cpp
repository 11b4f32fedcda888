#include "core/train/adam.h"

#include <cmath>

#include <fmt/format.h>
#include <torch/optim/adam.h>

#include "tests/support.h"

namespace charnn {
namespace {

NamedTensors parameters() {
  torch::manual_seed(4);
  return {{"a", torch::randn({3, 4}).requires_grad_(true)}, {"b", torch::randn({5}).requires_grad_(true)}};
}

TEST(Adam, FollowsTorchOptimAdam) {
  const OptimizerConfig config{.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.01};
  const NamedTensors ours = parameters(), theirs = parameters();
  ThreadPool pool(2);
  Adam adam(ours, config, pool);
  torch::optim::Adam reference({theirs[0].second, theirs[1].second},
                               torch::optim::AdamOptions(0.01).betas({0.9, 0.99}).eps(1e-8).weight_decay(0.01));
  for (int step = 0; step < 20; ++step) {
    const double lr = 0.01 * (step + 1);  // the rate may change at every step
    for (auto& group : reference.param_groups()) static_cast<torch::optim::AdamOptions&>(group.options()).lr(lr);
    for (std::size_t i = 0; i < 2; ++i) {
      const torch::Tensor gradient = torch::randn_like(ours[i].second).detach();
      torch::Tensor(ours[i].second).mutable_grad() = gradient;
      torch::Tensor(theirs[i].second).mutable_grad() = 0.5 * gradient;
    }
    adam.step(lr, 0.5);
    reference.step();
  }
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(torch::allclose(ours[i].second, theirs[i].second, 1e-5, 1e-6));
  EXPECT_EQ(adam.steps(), 20);
}

TEST(Adam, NormIsThatOfAllGradientsTogether) {
  const OptimizerConfig config;
  const NamedTensors weights{{"a", torch::zeros({300, 100}).requires_grad_(true)},
                             {"b", torch::zeros({5}).requires_grad_(true)}};
  torch::Tensor(weights[0].second).mutable_grad() = torch::full({300, 100}, 3.0F);
  torch::Tensor(weights[1].second).mutable_grad() = torch::full({5}, 4.0F);
  ThreadPool one(1), three(3);
  const double norm = Adam(weights, config, one).gradient_norm();
  EXPECT_NEAR(norm, std::sqrt(30000 * 9.0 + 5 * 16.0), 1e-4);
  EXPECT_EQ(norm, Adam(weights, config, three).gradient_norm());
}

TEST(Adam, ClippingScalesDownOnly) {
  EXPECT_EQ(clip_scale(5, 0), 1) << "0 is no limit";
  EXPECT_EQ(clip_scale(0.5, 1), 1);
  EXPECT_NEAR(clip_scale(5, 2), 0.4, 1e-6);
}

TEST(Adam, MomentsThatDoNotFitAreRefused) {
  const OptimizerConfig config;
  ThreadPool pool(1);
  Adam adam(parameters(), config, pool);
  NamedTensors moments = adam.exp_avg();
  moments[1].second = torch::zeros({6});
  test::expect_contains(test::error_of([&] { adam.restore(moments, adam.exp_avg_sq(), 3); }),
                        "optimizer.exp_avg: tensor b");
}

TEST(Adam, FrozenLayersStayBitForBit) {
  const CharRnn model({.cell = Cell::gru, .layers = 2, .hidden = 8, .embedding = 4}, 5);
  const auto frozen = [&](const std::vector<std::string>& layers) {
    OptimizerConfig config;
    config.freeze = layers;
    ThreadPool pool(1);
    Adam adam(model.weights(), config, pool);
    std::vector<torch::Tensor> before;
    double squares = 0;
    std::vector<std::string> same;
    for (const auto& [name, weight] : model.weights()) {
      before.push_back(weight.detach().clone());
      torch::Tensor(weight).mutable_grad() = torch::ones_like(weight).detach();
    }
    const double norm = adam.gradient_norm();
    adam.step(0.1);
    std::size_t i = 0;
    for (const auto& [name, weight] : model.weights())
      if (torch::equal(weight, before[i++]))
        same.push_back(name);
      else
        squares += static_cast<double>(weight.numel());
    EXPECT_NEAR(norm, std::sqrt(squares), 1e-6) << "their gradients count for nothing";
    return same;
  };
  using Names = std::vector<std::string>;
  const auto recurrent = [](int l) {
    return Names{fmt::format("rnn.weight_ih_l{}", l), fmt::format("rnn.weight_hh_l{}", l),
                 fmt::format("rnn.bias_ih_l{}", l), fmt::format("rnn.bias_hh_l{}", l)};
  };
  EXPECT_EQ(frozen({}), Names{});
  EXPECT_EQ(frozen({"encoder"}), Names{"encoder.weight"});
  EXPECT_EQ(frozen({"rnn.1"}), recurrent(1));
  EXPECT_EQ(frozen({"rnn"}).size(), 8U);
  EXPECT_EQ(frozen({"decoder", "rnn.0"}).size(), 6U);
  const auto refusal = [&](const Names& layers) { return test::error_of([&] { frozen(layers); }); };
  for (const char* wrong : {"rnn.2", "rnn.", "", ".", "rn", "encoder.0", "rnn.0.1", "weight"})
    test::expect_contains(refusal({wrong}), "no such layer");
  test::expect_contains(refusal({"encoder", "rnn", "decoder"}), "all layers");
}

}  // namespace
}  // namespace charnn
