// Dropout of every kind on the CPU path, against the reference with the same masks.
#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <gtest/gtest.h>
#include "core/model/torch_runtime.h"
#include "fast/masks.h"
#include "tests/core/model/reference.h"

namespace charnn {
namespace {

constexpr std::int64_t V = 13, T = 9, B = 6, W = block_width;

struct Case {
  Cell cell;
  DropoutMask mask;
  double starts = 0;
};

ModelConfig config_of(const Case& k) {
  return {.cell = k.cell,
          .layers = 2,
          .hidden = 19,
          .embedding = 18,
          .dropout = 0.3,
          .output_dropout = 0.4,
          .input_dropout = 0.2,
          .embedding_dropout = 0.25,
          .weight_dropout = 0.35,
          .dropout_mask = k.mask,
          .decoder_input = k.mask == DropoutMask::window ? DecoderInput::sum : DecoderInput::last};
}

/// The masks that the CPU path makes from `seed`, as the reference takes them.
DropoutFactors masks_of(const NetworkLayout& layout, std::uint64_t seed) {
  const ModelConfig& c = layout.config();
  FastWindow window{.steps = T, .streams = B, .training = true, .dropout_seed = seed};
  const Masks made(c, window);
  const std::int64_t steps = c.dropout_mask == DropoutMask::window ? 1 : T;
  DropoutFactors masks;
  masks.symbols = torch::ones({V, 1});
  made.symbols(masks.symbols.data_ptr<float>(), V);
  /// [steps, B, size] from make(block of 16, t, b, floats), which changes 16 ones.
  const auto blocks = [&](std::int64_t size, auto make) {
    torch::Tensor mask = torch::ones({steps, B, (size + W - 1) / W * W});
    for (std::int64_t t = 0; t < steps; ++t)
      for (std::int64_t b = 0; b < B; ++b)
        for (std::int64_t p = 0; p * W < size; ++p) make(p, t, b, mask[t][b].data_ptr<float>() + p * W);
    return mask.slice(2, 0, size).contiguous();
  };
  masks.input = blocks(c.embedding, [&](auto p, auto t, auto b, float* x) { made.input(p, made.row(t, b), x); });
  for (std::int64_t l = 0; l < c.layers; ++l) {
    masks.outputs.push_back(
        blocks(c.hidden, [&](auto p, auto t, auto b, float* x) { made.after(l, p, t, b, 1, x, x); }));
    torch::Tensor weights = torch::ones({gate_count(c.cell) * c.hidden, c.hidden});
    made.weights(l, weights.data_ptr<float>(), weights.data_ptr<float>(), 0, weights.numel());
    masks.weight_hh.push_back(weights);
  }
  return masks;
}

class Dropout : public testing::TestWithParam<Case> {
 protected:
  Dropout()
      : network(config_of(GetParam()), (seed_generators(21), V)),
        batch(test::random_batch(T, B, V, 22, GetParam().starts)),
        state(test::random_state(network.config(), B, 23)) {}

  test::Trained train(std::uint64_t seed, int threads) {
    network.configure({.threads = threads});
    seed_generators(seed);
    return test::train(network, batch, state);
  }

  Network network;
  Batch batch;
  State state;
};

TEST_P(Dropout, MatchesTheReference) {
  const test::Trained trained = train(3, 1);
  seed_generators(3);
  const DropoutFactors masks = masks_of(network.layout(), draw_seed());
  test::expect_near(network.layout(), trained,
                    test::train_reference(network.layout(), network.weights().to_host(), batch, state, masks), 2e-5);
}

TEST_P(Dropout, DependsOnTheSeedOnly) {
  const test::Trained once = train(3, 1);
  test::expect_same(once, train(3, 1));
  test::expect_same(once, train(3, 4));
  EXPECT_NE(once.loss, train(4, 1).loss);
}

TEST_P(Dropout, LeavesEvaluationAlone) {
  const auto nats = [&] {
    State from = state;
    std::vector<float> all(batch.input.size());
    network.score_window(batch, from, all);
    return all;
  };
  const std::vector<float> before = nats();
  train(3, 1);
  EXPECT_EQ(nats(), before);
}

INSTANTIATE_TEST_SUITE_P(Cases, Dropout,
                         testing::Values(Case{Cell::rnn, DropoutMask::step}, Case{Cell::rnn, DropoutMask::window},
                                         Case{Cell::gru, DropoutMask::step}, Case{Cell::gru, DropoutMask::window},
                                         Case{Cell::lstm, DropoutMask::step}, Case{Cell::lstm, DropoutMask::window},
                                         Case{Cell::lstm, DropoutMask::window, 0.2}),
                         [](const auto& k) {
                           return std::string(cell_names[static_cast<std::size_t>(k.param.cell)]) + "_" +
                                  dropout_mask_names[static_cast<std::size_t>(k.param.mask)] +
                                  (k.param.starts > 0 ? "_documents" : "");
                         });

TEST(Masks, OfAWindowAreTheSameAtAllStepsAndOthersInEachStream) {
  const ModelConfig config = config_of({Cell::lstm, DropoutMask::window});
  const FastWindow window{.steps = T, .streams = B, .training = true, .dropout_seed = 5};
  const Masks masks(config, window);
  const auto at = [&](std::int64_t t, std::int64_t b) {
    std::array<float, 8 * W> mask;
    mask.fill(1);
    for (std::int64_t p = 0; p < 8; ++p) masks.after(0, p, t, b, 1, mask.data() + p * W, mask.data() + p * W);
    return mask;
  };
  EXPECT_EQ(at(0, 2), at(T - 1, 2));
  EXPECT_NE(at(0, 2), at(0, 3));
  const ModelConfig stepwise = config_of({Cell::lstm, DropoutMask::step});
  const Masks changing(stepwise, window);
  EXPECT_EQ(masks.row(4, 2), 2);
  EXPECT_EQ(changing.row(4, 2), 4 * B + 2);
}

TEST(Masks, NothingIsDroppedOutsideTraining) {
  const ModelConfig config = config_of({Cell::lstm, DropoutMask::window});
  const FastWindow window{.steps = T, .streams = B};
  const Masks masks(config, window);
  EXPECT_EQ(masks.rate_after(0) + masks.rate_after(1) + masks.rate_of_input() + masks.rate_of_symbols() +
                masks.rate_of_weights(),
            0);
}

}  // namespace
}  // namespace charnn
