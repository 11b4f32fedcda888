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
  Adam adam(ours, config);
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
      torch::Tensor(theirs[i].second).mutable_grad() = gradient.clone();
    }
    adam.step(lr);
    reference.step();
  }
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_TRUE(torch::allclose(ours[i].second, theirs[i].second, 1e-5, 1e-6));
  EXPECT_EQ(adam.steps(), 20);
}

TEST(Adam, ClipsByTheCommonNorm) {
  const OptimizerConfig config;
  const NamedTensors weights = parameters();
  Adam adam(weights, config);
  const auto set = [&] {
    torch::Tensor(weights[0].second).mutable_grad() = torch::full({3, 4}, 3.0F);
    torch::Tensor(weights[1].second).mutable_grad() = torch::full({5}, 4.0F);
  };
  set();
  const double norm = std::sqrt(12 * 9.0 + 5 * 16.0);
  EXPECT_NEAR(adam.clip_gradients(0), norm, 1e-4);
  EXPECT_EQ(weights[0].second.grad()[0][0].item<float>(), 3.0F) << "0 is no limit";
  EXPECT_NEAR(adam.clip_gradients(2), norm, 1e-4);
  EXPECT_NEAR(adam.clip_gradients(2), 2, 1e-4);
}

TEST(Adam, MomentsThatDoNotFitAreRefused) {
  const OptimizerConfig config;
  Adam adam(parameters(), config);
  NamedTensors moments = adam.exp_avg();
  moments[1].second = torch::zeros({6});
  test::expect_contains(test::error_of([&] { adam.restore(moments, adam.exp_avg_sq(), 3); }),
                        "optimizer.exp_avg: tensor b");
}

}  // namespace
}  // namespace charnn
