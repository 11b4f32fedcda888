#include "fast/stepper.h"

#include <algorithm>
#include <cmath>
#include <vector>

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

/// The logits [T][streams][V] of T symbols for each stream.
std::vector<float> logits_of(const Stepper& stepper, const torch::Tensor& ids) {
  const std::int64_t streams = ids.size(1);
  StepState state = stepper.zero_state(streams);
  EXPECT_EQ(state.streams(), streams);
  std::vector<float> row, all;
  for (std::int64_t t = 0; t < ids.size(0); ++t) {
    stepper.step(state, {ids.data_ptr<std::int64_t>() + t * streams, static_cast<std::size_t>(streams)}, row);
    EXPECT_EQ(row.size(), static_cast<std::size_t>(streams * stepper.vocabulary_size()));
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

TEST_P(StepperTest, StreamsAreThoseOfEachAlone) {
  for (const std::int64_t hidden : {19, 130}) {
    torch::manual_seed(6);
    constexpr std::int64_t V = 37, T = 12;
    const CharRnn model({.cell = GetParam(), .layers = 2, .hidden = hidden, .embedding = 7}, V);
    const Stepper one(model), three(model, StepWeights::fp32, 3);
    for (const std::int64_t streams : {3, 64}) {
      const torch::Tensor ids = torch::randint(0, V, {T, streams}, torch::kInt64);
      const std::vector<float> together = logits_of(one, ids);
      const std::vector<float> shared_out = logits_of(three, ids);
      EXPECT_EQ(together, shared_out);
      for (std::int64_t b = 0; b < streams; ++b) {
        const std::vector<float> alone = logits_of(one, ids.slice(1, b, b + 1).contiguous());
        for (std::int64_t t = 0; t < T; ++t)
          for (std::int64_t v = 0; v < V; ++v)
            ASSERT_NEAR(together[static_cast<std::size_t>((t * streams + b) * V + v)],
                        alone[static_cast<std::size_t>(t * V + v)], 1e-5)
                << "hidden " << hidden << ", stream " << b << " of " << streams << ", step " << t;
      }
    }
  }
}

TEST_P(StepperTest, ThreadsChangeNoBit) {
  for (const std::int64_t hidden : {19, 130, 300}) {
    torch::manual_seed(7);
    const CharRnn model({.cell = GetParam(), .layers = 2, .hidden = hidden, .embedding = 7}, 37);
    const torch::Tensor ids = torch::randint(0, 37, {12, 1}, torch::kInt64);
    for (const StepWeights weights : {StepWeights::fp32, StepWeights::bf16})
      EXPECT_EQ(logits_of(Stepper(model, weights, 1), ids), logits_of(Stepper(model, weights, 3), ids));
  }
}

TEST_P(StepperTest, Bf16StaysNear) {
  for (const std::int64_t hidden : {19, 130}) {
    torch::manual_seed(8);
    const CharRnn model({.cell = GetParam(), .layers = 2, .hidden = hidden, .embedding = 7}, 37);
    const torch::Tensor ids = torch::randint(0, 37, {12, 2}, torch::kInt64);
    const Stepper bf16(model, StepWeights::bf16);
    EXPECT_EQ(bf16.weights(), StepWeights::bf16);
    for (const std::int64_t streams : {1, 2}) {  // alone and together
      const torch::Tensor some = ids.slice(1, 0, streams).contiguous();
      const std::vector<float> rounded = logits_of(bf16, some), exact = logits_of(Stepper(model), some);
      float difference = 0;
      for (std::size_t i = 0; i < exact.size(); ++i) difference = std::max(difference, std::abs(rounded[i] - exact[i]));
      EXPECT_LT(difference, 0.01F) << hidden;  // of logits of about 0.3
      EXPECT_GT(difference, 1e-4F) << hidden;
    }
  }
}

TEST(Stepper, AlphabetTooLargeForATable) {
  torch::manual_seed(9);
  constexpr std::int64_t V = 70000;  // times 4 * 256 units: more than the 2^26 floats of the largest table
  CharRnn model({.cell = Cell::lstm, .layers = 1, .hidden = 250, .embedding = 2}, V);
  const torch::NoGradGuard no_grad;
  const torch::Tensor ids = torch::tensor({69999, 3, 1}, torch::kInt64).reshape({3, 1});
  const torch::Tensor expected = model.forward(ids, model.zero_state(1)).logits;
  const Stepper stepper(model);
  const std::vector<float> alone = logits_of(stepper, ids),
                           together = logits_of(stepper, ids.expand({3, 2}).contiguous());
  const auto compare = [&](const std::vector<float>& actual, std::int64_t streams) {
    const torch::Tensor all = torch::tensor(actual).reshape({3, streams, V});
    EXPECT_LT((all - expected).abs().max().item<float>(), 1e-5F) << streams;
  };
  compare(alone, 1);
  compare(together, 2);
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

TEST_P(StepperTest, StreamsCanBeGatheredIntoAnotherState) {
  torch::manual_seed(6);
  constexpr std::int64_t V = 9, T = 12;
  CharRnn model({.cell = GetParam(), .layers = 2, .hidden = 33, .embedding = 7}, V);
  const Stepper stepper(model, StepWeights::fp32, 3);
  const torch::Tensor ids = torch::randint(0, V, {T, 4}, torch::kInt64);
  const auto step = [&](StepState& state, std::vector<std::int64_t> now) {
    std::vector<float> logits;
    stepper.step(state, now, logits);
    return logits;
  };
  StepState four = stepper.zero_state(4), alone = stepper.zero_state(1), none = stepper.zero_state(1);
  for (std::int64_t t = 0; t < T; ++t) {
    const std::int64_t* row = ids.data_ptr<std::int64_t>() + t * 4;
    step(four, {row, row + 4});
    step(alone, {row[2]});
  }
  const std::vector<float> expected = step(alone, {3}), fresh = step(none, {3});
  const auto expect_row = [&](const std::vector<float>& logits, std::size_t i, const std::vector<float>& row) {
    for (std::size_t v = 0; v < row.size(); ++v) EXPECT_NEAR(logits[i * row.size() + v], row[v], 3e-6);
  };
  for (const std::vector<std::int64_t>& from :
       {std::vector<std::int64_t>{2}, {0, 2}, {2, -1, 2, 1, 0, 3, 2}, {-1, -1, 2}}) {
    StepState state = stepper.gather(four, from);
    const std::vector<float> logits = step(state, std::vector<std::int64_t>(from.size(), 3));
    for (std::size_t i = 0; i < from.size(); ++i)
      if (from[i] == 2 || from[i] == -1) expect_row(logits, i, from[i] == 2 ? expected : fresh);
  }
  EXPECT_EQ(stepper.gather(four, {}).streams(), 0);
}

INSTANTIATE_TEST_SUITE_P(Cells, StepperTest, testing::Values(Cell::rnn, Cell::gru, Cell::lstm), [](const auto& cell) {
  return std::string(cell_names[static_cast<std::size_t>(cell.param)]);
});

}  // namespace
}  // namespace charnn
