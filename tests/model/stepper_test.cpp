#include "charnn/model/stepper.h"

#include <gtest/gtest.h>

namespace charnn {
namespace {

class StepperTest : public testing::TestWithParam<Cell> {};

TEST_P(StepperTest, OneSymbolAtATimeEqualsTheWholePass) {
  torch::manual_seed(5);
  constexpr std::int64_t V = 11, T = 40;
  CharRnn model({.cell = GetParam(), .layers = 3, .hidden = 19, .embedding = 7}, V);
  model.eval();
  const torch::NoGradGuard no_grad;
  const torch::Tensor ids = torch::randint(0, V, {T, 1}, torch::kInt64);
  const torch::Tensor logits = model.forward(ids, model.zero_state(1)).logits;
  const Stepper stepper(model);
  StepState state = stepper.zero_state();
  std::vector<float> row;
  for (std::int64_t t = 0; t < T; ++t) {
    stepper.step(state, ids[t][0].item<std::int64_t>(), row);
    ASSERT_EQ(row.size(), static_cast<std::size_t>(V));
    for (std::int64_t v = 0; v < V; ++v)
      EXPECT_NEAR(row[static_cast<std::size_t>(v)], logits[t][0][v].item<float>(), 2e-6) << "step " << t;
  }
}

TEST(Stepper, KeepsItsOwnCopyOfTheWeights) {
  CharRnn model({.cell = Cell::rnn, .layers = 1, .hidden = 4, .embedding = 2}, 3);
  const Stepper stepper(model);
  std::vector<float> before, after;
  StepState state = stepper.zero_state();
  stepper.step(state, 1, before);
  {
    const torch::NoGradGuard no_grad;
    for (auto& weight : model.parameters()) weight.add_(1);
  }
  state = stepper.zero_state();
  stepper.step(state, 1, after);
  EXPECT_EQ(before, after);
}

INSTANTIATE_TEST_SUITE_P(Cells, StepperTest, testing::Values(Cell::rnn, Cell::gru, Cell::lstm),
                         [](const auto& cell) {
                           return std::string(cell_names[static_cast<std::size_t>(cell.param)]);
                         });

}  // namespace
}  // namespace charnn
