// The fused path against the reference, LibTorch's own modules in double precision, over one table of cases.
#include "fast/fused_network.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "core/model/network.h"
#include "fast/fused_function.h"
#include "kernels/gemm.h"
#include "tests/support.h"

namespace charnn {
namespace {

struct Case {
  Cell cell;
  std::int64_t layers, hidden, embedding, vocabulary, batch, steps;
  int threads;
  double starts = 0;  ///< share of symbols with which a document starts
};

/// A model, a window of text, and a state to begin from.
struct Scene {
  explicit Scene(const Case& k)
      : config{.cell = k.cell, .layers = k.layers, .hidden = k.hidden, .embedding = k.embedding} {
    torch::manual_seed(11);
    model = std::make_unique<CharRnn>(config, k.vocabulary);
    ids = torch::randint(0, k.vocabulary, {k.steps, k.batch}, torch::kInt64);
    targets = torch::randint(0, k.vocabulary, {k.steps, k.batch}, torch::kInt64);
    state.h = 0.5 * torch::randn({k.layers, k.batch, k.hidden});
    if (k.cell == Cell::lstm) state.c = torch::randn({k.layers, k.batch, k.hidden});
    if (k.starts > 0) starts = torch::rand({k.steps, k.batch}).lt(k.starts).to(torch::kUInt8);
  }

  struct Result {
    double loss;
    State state;
    std::map<std::string, torch::Tensor> gradients;
  };

  Result fused(Precision precision, int threads) {
    model->use(precision, threads);
    for (auto& weight : model->parameters()) weight.mutable_grad() = torch::Tensor();
    auto [loss, next] = model->loss(ids, targets, state, starts);
    loss.backward();
    return {loss.item<double>(), next, gradients(*model)};
  }

  /// The fused path with floats as they are, as on CPUs that split none into parts.
  Result plain_floats(int threads) {
    ThreadPool pool(threads);
    FusedNetwork network(config, model->vocabulary_size(), Format::f32, pool);
    FusedWorkspace work;
    for (auto& weight : model->parameters()) weight.mutable_grad() = torch::Tensor();
    network.take(model->parameters(), true);
    FusedWindow window{ids.size(0), ids.size(1), ids.data_ptr<std::int64_t>(), targets.data_ptr<std::int64_t>(),
                       starts.defined() ? starts.data_ptr<std::uint8_t>() : nullptr};
    window.training = true;
    window.gradient_scale = 1.0F / static_cast<float>(ids.numel());
    State next = state;
    const torch::Tensor loss = fused_loss(network, work, window, next, model->parameters());
    loss.backward();
    return {loss.item<double>(), next, gradients(*model)};
  }

  Result reference() const {
    CharRnn twin(config, model->vocabulary_size());
    twin.load(model->weights());
    twin.to(torch::kDouble);
    const State start{state.h.to(torch::kDouble), state.c.defined() ? state.c.to(torch::kDouble) : state.c};
    auto [logits, next] = twin.forward(ids, start, starts);
    const torch::Tensor loss =
        torch::nn::functional::cross_entropy(logits.reshape({-1, twin.vocabulary_size()}), targets.reshape({-1}));
    loss.backward();
    return {loss.item<double>(), next.detach(), gradients(twin)};
  }

  static std::map<std::string, torch::Tensor> gradients(const CharRnn& network) {
    std::map<std::string, torch::Tensor> all;
    for (const auto& [name, weight] : network.weights()) all.emplace(name, weight.grad().clone());
    return all;
  }

  ModelConfig config;
  std::unique_ptr<CharRnn> model;
  torch::Tensor ids, targets, starts;
  State state;
};

/// Largest difference, as a share of the largest value expected.
double difference(const torch::Tensor& actual, const torch::Tensor& expected) {
  EXPECT_EQ(actual.sizes(), expected.sizes());
  return (actual.to(torch::kDouble) - expected.to(torch::kDouble)).abs().max().item<double>() /
         (expected.to(torch::kDouble).abs().max().item<double>() + 1e-12);
}

void expect_near(const Scene::Result& actual, const Scene::Result& expected, double tolerance) {
  EXPECT_NEAR(actual.loss, expected.loss, tolerance * expected.loss);
  EXPECT_LT(difference(actual.state.h, expected.state.h), tolerance) << "h";
  ASSERT_EQ(actual.state.c.defined(), expected.state.c.defined());
  if (expected.state.c.defined()) {
    EXPECT_LT(difference(actual.state.c, expected.state.c), tolerance) << "c";
  }
  for (const auto& [name, gradient] : expected.gradients)
    EXPECT_LT(difference(actual.gradients.at(name), gradient), tolerance) << name;
}

void expect_same(const Scene::Result& a, const Scene::Result& b) {
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_TRUE(torch::equal(a.state.h, b.state.h));
  for (const auto& [name, gradient] : a.gradients) EXPECT_TRUE(torch::equal(gradient, b.gradients.at(name))) << name;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm}) {
    all.push_back({cell, 1, 16, 16, 16, 1, 1, 1});
    all.push_back({cell, 1, 1, 1, 2, 1, 3, 1});
    all.push_back({cell, 2, 32, 8, 20, 4, 9, 1});
    all.push_back({cell, 2, 19, 7, 11, 5, 13, 3});
    all.push_back({cell, 3, 87, 33, 65, 7, 6, 2});
    all.push_back({cell, 1, 130, 64, 300, 3, 40, 2});  // more symbols than occur
    all.push_back({cell, 2, 128, 64, 65, 50, 12, 2});
    all.push_back({cell, 2, 32, 8, 20, 4, 9, 1, 0.2});
    all.push_back({cell, 2, 48, 24, 33, 7, 90, 3, 0.05});
    all.push_back({cell, 1, 19, 7, 11, 5, 4, 2, 1});
    all.push_back({cell, 2, 48, 24, 33, 3, 300, 5});  // many rows of gradients; more threads than streams
  }
  all.push_back({Cell::lstm, 1, 256, 16, 16, 16, 550, 2});  // gradients in several stretches of rows
  return all;
}

class FusedNetworkTest : public testing::TestWithParam<Case> {};

TEST_P(FusedNetworkTest, MatchesTheReference) {
  Scene scene(GetParam());
  expect_near(scene.fused(Precision::fp32, GetParam().threads), scene.reference(), 3e-5);
}

TEST_P(FusedNetworkTest, PlainFloatsMatchTheReference) {
  Scene scene(GetParam());
  const Scene::Result result = scene.plain_floats(GetParam().threads);
  expect_near(result, scene.reference(), 3e-5);
  expect_same(result, scene.plain_floats(2));
}

TEST_P(FusedNetworkTest, Bf16StaysNearTheReference) {
  if (bf16_unit() == Bf16Unit::none) GTEST_SKIP() << "this CPU cannot multiply bf16";
  Scene scene(GetParam());
  expect_near(scene.fused(Precision::bf16, GetParam().threads), scene.reference(), 0.05);
}

TEST_P(FusedNetworkTest, ThreadsChangeNoBit) {
  Scene scene(GetParam());
  expect_same(scene.fused(Precision::fp32, 1), scene.fused(Precision::fp32, 4));
  if (bf16_unit() != Bf16Unit::none) expect_same(scene.fused(Precision::bf16, 1), scene.fused(Precision::bf16, 3));
}

INSTANTIATE_TEST_SUITE_P(Cases, FusedNetworkTest, testing::ValuesIn(cases()), [](const auto& k) {
  const Case& c = k.param;
  return std::string(cell_names[static_cast<std::size_t>(c.cell)]) + "_" + std::to_string(c.layers) + "x" +
         std::to_string(c.hidden) + "_V" + std::to_string(c.vocabulary) + "_B" + std::to_string(c.batch) + "_T" +
         std::to_string(c.steps) + "_threads" + std::to_string(c.threads) +
         (c.starts > 0 ? "_documents" + std::to_string(static_cast<int>(100 * c.starts)) : "");
});

}  // namespace
}  // namespace charnn
