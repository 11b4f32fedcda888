#include "charnn/train/adam.h"

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
  torch::optim::Adam reference(
      {theirs[0].second, theirs[1].second},
      torch::optim::AdamOptions(0.01).betas({0.9, 0.99}).eps(1e-8).weight_decay(0.01));
  for (int step = 0; step < 20; ++step) {
    const double lr = 0.01 * (step + 1);  // the rate may change at every step
    for (auto& group : reference.param_groups())
      static_cast<torch::optim::AdamOptions&>(group.options()).lr(lr);
    for (std::size_t i = 0; i < 2; ++i) {
      const torch::Tensor gradient = torch::randn_like(ours[i].second).detach();
      torch::Tensor(ours[i].second).mutable_grad() = gradient;
      torch::Tensor(theirs[i].second).mutable_grad() = 0.5 * gradient;
    }
    adam.step(lr, 0.5);
    reference.step();
  }
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_TRUE(torch::allclose(ours[i].second, theirs[i].second, 1e-5, 1e-6));
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

}  // namespace
}  // namespace charnn
