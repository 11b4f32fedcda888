#include "fast/stepper.h"
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>
#include <gtest/gtest.h>
#include "core/model/network.h"
#include "core/model/torch_runtime.h"
#include "tests/core/model/reference.h"

namespace charnn {
namespace {

/// Symbols [steps, streams].
struct Text {
  std::int64_t streams;
  std::vector<std::int64_t> ids;

  static Text random(std::int64_t steps, std::int64_t streams, std::int64_t vocabulary) {
    return {streams, test::random_batch(steps, streams, vocabulary, 5).input};
  }
  std::int64_t steps() const { return std::ssize(ids) / streams; }
  std::span<const std::int64_t> step(std::int64_t t) const {
    return std::span(ids).subspan(static_cast<std::size_t>(t * streams), static_cast<std::size_t>(streams));
  }
  Text first_streams(std::int64_t begin, std::int64_t count) const {
    Text some{count, {}};
    for (std::int64_t t = 0; t < steps(); ++t)
      some.ids.insert(some.ids.end(), step(t).begin() + begin, step(t).begin() + begin + count);
    return some;
  }
};

Network make_network(const ModelConfig& config, std::int64_t vocabulary) {
  seed_generators(6);
  return {config, vocabulary};
}

Stepper make_stepper(const Network& network, StepWeights kept = StepWeights::fp32, int threads = 1) {
  return {network.layout(), network.weights().to_host(), kept, threads};
}

/// The logits [steps][streams][V] from a zero state.
std::vector<float> logits_of(Stepper stepper, const Text& text) {
  State state = stepper.zero_state(text.streams);
  EXPECT_EQ(state.streams, text.streams);
  std::vector<float> row, all;
  for (std::int64_t t = 0; t < text.steps(); ++t) {
    stepper.step(state, text.step(t), row);
    EXPECT_EQ(row.size(), static_cast<std::size_t>(text.streams * stepper.vocabulary_size()));
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

/// The same by LibTorch in double precision.
std::vector<double> reference_logits(const Network& network, const Text& text) {
  const torch::NoGradGuard no_grad;
  const std::unique_ptr<CharRnn> module = test::reference(network);
  const torch::Tensor ids = torch::tensor(text.ids).reshape({-1, text.streams});
  return test::doubles(module->forward(ids, module->zero_state(text.streams)).logits);
}

void expect_near(const std::vector<float>& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], tolerance) << i;
}

class StepperTest : public testing::TestWithParam<Cell> {
 protected:
  static ModelConfig config(std::int64_t layers, std::int64_t hidden) {
    return {.cell = GetParam(), .layers = layers, .hidden = hidden, .embedding = 7};
  }
};

TEST_P(StepperTest, OneSymbolAtATimeEqualsTheWholePass) {
  const Network network = make_network(config(3, 19), 11);
  const Text text = Text::random(40, 1, 11);
  expect_near(logits_of(make_stepper(network), text), reference_logits(network, text), 2e-6);
}

TEST_P(StepperTest, ReadsTheSumOfAllLayers) {
  ModelConfig model = config(3, 19);
  model.decoder_input = DecoderInput::sum;
  const Network network = make_network(model, 11);
  for (const std::int64_t streams : {1, 3}) {
    const Text text = Text::random(20, streams, 11);
    expect_near(logits_of(make_stepper(network), text), reference_logits(network, text), 1e-5);
  }
}

TEST_P(StepperTest, StreamsAreThoseOfEachAlone) {
  for (const std::int64_t hidden : {19, 130}) {
    constexpr std::int64_t V = 37, T = 12;
    const Network network = make_network(config(2, hidden), V);
    for (const std::int64_t streams : {3, 64}) {
      SCOPED_TRACE(std::to_string(streams) + " streams of " + std::to_string(hidden) + " units");
      const Text text = Text::random(T, streams, V);
      const std::vector<float> together = logits_of(make_stepper(network), text);
      EXPECT_EQ(together, logits_of(make_stepper(network, StepWeights::fp32, 3), text));
      expect_near(together, reference_logits(network, text), 1e-5);
      for (std::int64_t b = 0; b < streams; ++b) {
        const std::vector<float> alone = logits_of(make_stepper(network), text.first_streams(b, 1));
        for (std::int64_t t = 0; t < T; ++t)
          for (std::int64_t v = 0; v < V; ++v)
            ASSERT_NEAR(together[static_cast<std::size_t>((t * streams + b) * V + v)],
                        alone[static_cast<std::size_t>(t * V + v)], 1e-5)
                << "stream " << b << ", step " << t;
      }
    }
  }
}

TEST_P(StepperTest, ThreadsChangeNoBit) {
  for (const std::int64_t hidden : {19, 130, 300}) {
    const Network network = make_network(config(2, hidden), 37);
    const Text text = Text::random(12, 1, 37);
    for (const StepWeights weights : {StepWeights::fp32, StepWeights::bf16, StepWeights::int8})
      EXPECT_EQ(logits_of(make_stepper(network, weights, 1), text), logits_of(make_stepper(network, weights, 3), text));
  }
}

TEST_P(StepperTest, RoundedWeightsStayNear) {
  for (const std::int64_t hidden : {19, 130})
    for (const StepWeights kept : {StepWeights::bf16, StepWeights::int8}) {
      const Network network = make_network(config(2, hidden), 37);
      const Text text = Text::random(12, 2, 37);
      EXPECT_EQ(make_stepper(network, kept).weights(), kept);
      for (const std::int64_t streams : {1, 2}) {  // alone and together
        const Text some = text.first_streams(0, streams);
        const std::vector<float> rounded = logits_of(make_stepper(network, kept), some),
                                 exact = logits_of(make_stepper(network), some);
        float difference = 0;
        for (std::size_t i = 0; i < exact.size(); ++i)
          difference = std::max(difference, std::abs(rounded[i] - exact[i]));
        EXPECT_LT(difference, 0.01F) << hidden;  // of logits of about 0.3
        EXPECT_GT(difference, 1e-5F) << hidden;
      }
    }
}

TEST_P(StepperTest, TheSameRoundedWeightsForOneAndForSeveral) {
  const Network network = make_network(config(2, 130), 37);
  const Text text = Text::random(12, 2, 37);
  for (const StepWeights kept : {StepWeights::bf16, StepWeights::int8}) {
    const std::vector<float> together = logits_of(make_stepper(network, kept), text),
                             alone = logits_of(make_stepper(network, kept), text.first_streams(0, 1));
    for (std::size_t t = 0; t < 12; ++t)
      for (std::size_t v = 0; v < 37; ++v) ASSERT_NEAR(together[t * 2 * 37 + v], alone[t * 37 + v], 1e-5) << t;
  }
}

TEST(Stepper, AlphabetTooLargeForATable) {
  constexpr std::int64_t V = 70000;  // times 4 * 256 units: more than the 2^26 floats of the largest table
  const Network network = make_network({.cell = Cell::lstm, .layers = 1, .hidden = 250, .embedding = 2}, V);
  for (const Text& text : {Text{1, {69999, 3, 1}}, Text{2, {69999, 3, 3, 69999, 1, 2}}})
    expect_near(logits_of(make_stepper(network), text), reference_logits(network, text), 1e-5);
}

TEST(Stepper, KeepsItsOwnCopyOfTheWeights) {
  Network network = make_network({.cell = Cell::rnn, .layers = 1, .hidden = 4, .embedding = 2}, 3);
  Stepper stepper = make_stepper(network);
  const auto step = [&] {
    State state = stepper.zero_state();
    std::vector<float> logits;
    stepper.step(state, std::vector<std::int64_t>{1}, logits);
    return logits;
  };
  const std::vector<float> before = step();
  std::fill_n(network.change_weights().data(), network.layout().size(), 1.0F);
  EXPECT_EQ(before, step());
}

TEST_P(StepperTest, StreamsCanBeGatheredIntoAnotherStateAndCleared) {
  constexpr std::int64_t V = 9, T = 12;
  const Network network = make_network(config(2, 33), V);
  Stepper stepper = make_stepper(network, StepWeights::fp32, 3);
  const Text text = Text::random(T, 4, V);
  const auto step = [&](State state, std::size_t streams) {
    std::vector<float> logits;
    stepper.step(state, std::vector<std::int64_t>(streams, 3), logits);
    return logits;
  };
  State four = stepper.zero_state(4), alone = stepper.zero_state(1);
  std::vector<float> logits;
  for (std::int64_t t = 0; t < T; ++t) {
    stepper.step(four, text.step(t), logits);
    stepper.step(alone, text.step(t).subspan(2, 1), logits);
  }
  const std::vector<float> expected = step(alone, 1), fresh = step(stepper.zero_state(1), 1);
  const auto expect_row = [&](const std::vector<float>& rows, std::size_t i, const std::vector<float>& row) {
    for (std::size_t v = 0; v < row.size(); ++v) EXPECT_NEAR(rows[i * row.size() + v], row[v], 3e-6);
  };
  for (const std::vector<std::int64_t>& from :
       {std::vector<std::int64_t>{2}, {0, 2}, {2, -1, 2, 1, 0, 3, 2}, {-1, -1, 2}}) {
    const std::vector<float> rows = step(four.gather(from), from.size());
    for (std::size_t i = 0; i < from.size(); ++i)
      if (from[i] == 2 || from[i] == -1) expect_row(rows, i, from[i] == 2 ? expected : fresh);
  }
  four.clear(0);
  const std::vector<float> rows = step(four, 4);
  expect_row(rows, 0, fresh);
  expect_row(rows, 2, expected);
}

INSTANTIATE_TEST_SUITE_P(Cells, StepperTest, testing::Values(Cell::rnn, Cell::gru, Cell::lstm), [](const auto& cell) {
  return std::string(cell_names[static_cast<std::size_t>(cell.param)]);
});

}  // namespace
}  // namespace charnn
