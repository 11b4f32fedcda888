#include "core/train/evaluate.h"
#include <cmath>
#include <limits>
#include "core/io/safetensors.h"
#include "core/model/torch_runtime.h"
#include "fast/stepper.h"
#include "tests/core/train/rig.h"
#include "tests/support.h"

namespace charnn {
namespace {

std::string some_text(std::size_t size) {
  std::string text;
  std::uint32_t x = 1;
  while (text.size() < size) text += "abcde"[(x = x * 1664525 + 1013904223) >> 24 & 3];
  return text;
}

class Evaluate : public testing::Test {
 protected:
  Evaluate() : corpus_(test::corpus_of(folder_, some_text(3000) + "e")) {
    seed_generators(1);
    network_ = std::make_unique<Network>(
        ModelConfig{.cell = Cell::lstm, .layers = 2, .hidden = 12, .embedding = 4, .dropout = 0.5},
        corpus_.vocabulary().size());
  }

  /// Cross-entropy of symbols [begin, begin + count] by the stepper, from a zero state.
  double plain(std::int64_t begin, std::int64_t count) {
    Stepper stepper(network_->layout(), network_->weights().to_host());
    State state = stepper.zero_state();
    std::vector<std::int64_t> ids(static_cast<std::size_t>(count + 1));
    corpus_.copy(begin, ids);
    std::vector<float> logits;
    double nats = 0;
    for (std::size_t t = 0; t + 1 < ids.size(); ++t) {
      stepper.step(state, {&ids[t], 1}, logits);
      double sum = 0;
      for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
      nats += std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(ids[t + 1])]);
    }
    return nats;
  }

  test::TemporaryFolder folder_;
  Corpus corpus_;
  std::unique_ptr<Network> network_;
};

TEST_F(Evaluate, CountsEveryCharacterOnceHoweverManyStreams) {
  const double expected = plain(0, 3000);
  for (const std::int64_t streams : {1, 2, 7, 64}) {
    const EvalResult result = *evaluate(*network_, corpus_, corpus_.all(), {.streams = streams});
    EXPECT_EQ(result.chars, 3000);
    EXPECT_NEAR(result.nats, expected, 1e-6 * expected) << streams << " streams";
  }
  EXPECT_NEAR(evaluate(*network_, corpus_, corpus_.all())->nats, expected, 1e-6 * expected);
}

TEST_F(Evaluate, WindowsBeginWithAZeroState) {
  double expected = 0;
  for (std::int64_t begin = 0; begin < 3000; begin += 700)
    expected += plain(begin, std::min<std::int64_t>(700, 3000 - begin));
  const EvalResult result = *evaluate(*network_, corpus_, corpus_.all(), {.window = 700});
  EXPECT_EQ(result.chars, 3000);
  EXPECT_NEAR(result.nats, expected, 1e-6 * expected);
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  EXPECT_NEAR(evaluate(*network_, corpus_, corpus_.all(), {.window = huge})->nats, plain(0, 3000), 1e-3);
  EXPECT_GT(std::abs(expected - plain(0, 3000)), 1e-4) << "the protocols must differ for this test to say anything";
}

TEST_F(Evaluate, TellsWhatEachCharacterCosts) {
  for (const EvalOptions& how : {EvalOptions{.streams = 1}, EvalOptions{.streams = 7}, EvalOptions{.window = 700}}) {
    std::vector<float> nats(3001, -1);
    EvalOptions options = how;
    options.each = [&](std::int64_t first, std::span<const float> some) {
      for (const float value : some) {
        float& place = nats.at(static_cast<std::size_t>(first++));
        EXPECT_EQ(place, -1) << "each is told once";
        place = value;
      }
    };
    const EvalResult result = *evaluate(*network_, corpus_, corpus_.all(), options);
    EXPECT_EQ(nats[0], -1) << "nothing predicts the first";
    double sum = 0;
    for (std::size_t i = 1; i < nats.size(); ++i) sum += static_cast<double>(nats[i]);
    EXPECT_NEAR(sum, result.nats, 1e-6 * result.nats);
    if (how.streams == 1) {
      EXPECT_NEAR(nats[1234], plain(0, 1234) - plain(0, 1233), 1e-4);
    }
    if (how.window == 700) {
      EXPECT_NEAR(nats[1403], plain(1400, 3) - plain(1400, 2), 1e-4);
    }
  }
}

TEST(Calibrate, FindsTheBestTemperature) {
  test::Rig rig(Cell::gru, 0.01, /*dropout=*/0);
  Trainer trainer(rig.parts());
  for (int i = 0; i < 25; ++i) trainer.step();
  Network& network = *rig.network;
  const std::vector<float> before = network.weights().to_host();
  const auto first = static_cast<std::size_t>(network.layout().decoder_weight().offset);
  const auto divide_logits = [&](double by) {
    std::vector<float> weights = before;
    for (std::size_t i = first; i < weights.size(); ++i) weights[i] /= static_cast<float>(by);
    network.change_weights().assign(weights);
    return bytes_of(weights);
  };
  const auto loss = [&] { return evaluate(network, *rig.corpus, rig.corpus->val())->loss(); };
  double fitted = 0;
  for (const double sureness : {1.0, 1.25}) {
    const std::string bytes = divide_logits(1 / sureness);
    const Calibration found = calibrate(network, *rig.corpus, rig.corpus->val());
    EXPECT_EQ(bytes_of(network.weights().to_host()), bytes);
    for (const double near : {0.97, 1.03}) {
      divide_logits(found.temperature * near / sureness);
      EXPECT_GT(loss(), found.loss);
    }
    divide_logits(found.temperature / sureness);
    EXPECT_NEAR(loss(), found.loss, 1e-6);
    if (fitted > 0) {
      EXPECT_NEAR(found.temperature, sureness * fitted, 0.02);
    }
    fitted = found.temperature;
  }
}

TEST_F(Evaluate, LeavesTrainingAsItWas) {
  // A window of training after an evaluation, on the same state and from the same random numbers, as without it.
  const auto gradients = [&](bool evaluated) {
    seed_generators(3);
    Batcher batcher(corpus_, corpus_.all(), 2, 20);
    State state = network_->zero_state(2);
    network_->train_window(batcher.next(), state);
    const GeneratorStates generators = capture_generators();
    const std::string before = bytes_of(network_->weights().to_host()) + bytes_of(network_->gradients().to_host());
    if (evaluated) evaluate(*network_, corpus_, {0, 500});
    EXPECT_TRUE(generators == capture_generators());
    EXPECT_TRUE(before == bytes_of(network_->weights().to_host()) + bytes_of(network_->gradients().to_host()));
    network_->train_window(batcher.next(), state);
    return bytes_of(network_->gradients().to_host()) + bytes_of(state.h) + bytes_of(state.c);
  };
  EXPECT_TRUE(gradients(true) == gradients(false));
}

TEST_F(Evaluate, TinySplitsAndStopping) {
  EXPECT_EQ(evaluate(*network_, corpus_, {10, 12})->chars, 1);
  EXPECT_NEAR(evaluate(*network_, corpus_, {10, 12})->nats, plain(10, 1), 1e-5);
  test::expect_contains(test::error_of([&] { evaluate(*network_, corpus_, {10, 11}); }), "at least 2");
  EXPECT_FALSE(evaluate(*network_, corpus_, corpus_.all(), {.stop = [] { return true; }}));
}

}  // namespace
}  // namespace charnn
