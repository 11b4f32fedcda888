#include "core/model/network.h"

#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

TEST(CharRnn, NamesAndShapesArePyTorchs) {
  const CharRnn model({.cell = Cell::gru, .layers = 2, .hidden = 5, .embedding = 3}, 7);
  std::string names;
  for (const auto& [name, tensor] : model.weights()) names += name + " " + std::to_string(tensor.size(0)) + "\n";
  EXPECT_EQ(names,
            "encoder.weight 7\n"
            "rnn.weight_ih_l0 15\nrnn.weight_hh_l0 15\nrnn.bias_ih_l0 15\nrnn.bias_hh_l0 15\n"
            "rnn.weight_ih_l1 15\nrnn.weight_hh_l1 15\nrnn.bias_ih_l1 15\nrnn.bias_hh_l1 15\n"
            "decoder.weight 7\ndecoder.bias 7\n");
  EXPECT_EQ(model.parameter_count(), 7 * 3 + 15 * (3 + 5 + 2) + 15 * (5 + 5 + 2) + 7 * 5 + 7);
}

TEST(CharRnn, ForgetBiasIsAsConfiguredAtFirstAndNeverWrittenOnLoading) {
  const ModelConfig config{.cell = Cell::lstm, .layers = 2, .hidden = 4, .embedding = 3, .forget_bias = 1};
  const CharRnn fresh(config, 5);
  NamedTensors trained;
  for (const auto& [name, tensor] : fresh.weights()) {
    const torch::Tensor forget =
        name.find("bias_") != std::string::npos && name.find("rnn") == 0 ? tensor.slice(0, 4, 8) : torch::Tensor();
    if (forget.defined()) {
      const float expected = name.find("_ih_") != std::string::npos ? 1.0F : 0.0F;
      EXPECT_TRUE(torch::equal(forget, torch::full({4}, expected))) << name;
    }
    trained.emplace_back(name, torch::full_like(tensor, 0.25).detach());
  }
  CharRnn loaded(config, 5);
  loaded.load(trained);
  for (const auto& [name, tensor] : loaded.weights())
    EXPECT_TRUE(torch::equal(tensor, torch::full_like(tensor, 0.25))) << name;
}

TEST(CharRnn, CarriedStateContinuesTheSequence) {
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm}) {
    torch::manual_seed(2);
    CharRnn model({.cell = cell, .layers = 2, .hidden = 6, .embedding = 3}, 5);
    const torch::NoGradGuard no_grad;
    const torch::Tensor ids = torch::randint(0, 5, {8, 3}, torch::kInt64);
    const auto whole = model.forward(ids, model.zero_state(3));
    const auto first = model.forward(ids.slice(0, 0, 4), model.zero_state(3));
    const auto second = model.forward(ids.slice(0, 4, 8), first.state);
    EXPECT_TRUE(torch::allclose(whole.logits.slice(0, 4, 8), second.logits, 1e-5, 1e-6));
    EXPECT_EQ(whole.state.c.defined(), cell == Cell::lstm);
  }
}

TEST(CharRnn, DropoutActsInTrainingOnly) {
  torch::manual_seed(2);
  CharRnn model({.cell = Cell::lstm, .layers = 1, .hidden = 16, .embedding = 3, .dropout = 0.5}, 5);
  const torch::NoGradGuard no_grad;
  const torch::Tensor ids = torch::randint(0, 5, {4, 2}, torch::kInt64);
  const auto logits = [&] { return model.forward(ids, model.zero_state(2)).logits; };
  model.train();
  EXPECT_FALSE(torch::equal(logits(), logits()));
  model.eval();
  EXPECT_TRUE(torch::equal(logits(), logits()));
}

TEST(CharRnn, LoadNamesTheTensorThatDoesNotFit) {
  CharRnn model({.cell = Cell::rnn, .layers = 1, .hidden = 4, .embedding = 3}, 5);
  NamedTensors weights = model.weights();
  weights[1].second = torch::zeros({9, 9});
  expect_contains(error_of([&] { model.load(weights); }), "rnn.weight_ih_l0 is of type Float, shape [9, 9]");
  weights[1].second = model.weights()[1].second.to(torch::kDouble);
  expect_contains(error_of([&] { model.load(weights); }), "is of type Double");
  weights.erase(weights.begin() + 1);
  expect_contains(error_of([&] { model.load(weights); }), "rnn.weight_ih_l0 is missing");
}

TEST(CharRnn, WeightsAreKnownBeforeTheNetworkIsMade) {
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm}) {
    const ModelConfig config{.cell = cell, .layers = 3, .hidden = 6, .embedding = 4};
    const NamedTensors weights = CharRnn(config, 5).weights();
    const auto shapes = weight_shapes(config, 5);
    ASSERT_EQ(shapes.size(), weights.size());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      EXPECT_EQ(shapes[i].first, weights[i].first);
      EXPECT_EQ(shapes[i].second, weights[i].second.sizes().vec()) << shapes[i].first;
    }
    require_weights(weights, config, 5, "x");
    expect_contains(error_of([&] { require_weights(weights, config, 6, "x"); }), "x: tensor encoder.weight");
    ModelConfig huge = config;
    huge.hidden = 65536;
    huge.layers = 64;
    expect_contains(error_of([&] { require_weights(weights, huge, 5, "x"); }), "rnn.weight_ih_l0");
  }
}

}  // namespace
}  // namespace charnn
