// Recurrent state: between the kernels' blocks and PyTorch's rows, and streams moved about.
#include "core/model/state.h"
#include <numeric>
#include <gtest/gtest.h>

namespace charnn {
namespace {

class StateTest : public testing::TestWithParam<Cell> {
 protected:
  static constexpr std::int64_t layers = 2, streams = 3, hidden = 37;  // blocks of 16, 16, 5 and 0 units

  StateTest() {
    state = State::zeros({.cell = GetParam(), .layers = layers, .hidden = hidden}, streams);
    h.resize(layers * streams * hidden);
    std::iota(h.begin(), h.end(), 1.0F);
    from_rows(h, state, state.h);
    if (!state.has_c) return;
    c.resize(h.size());
    std::iota(c.begin(), c.end(), -1000.0F);
    from_rows(c, state, state.c);
  }

  /// What a stream holds: h and c of all layers.
  static std::vector<float> stream(const State& s, std::int64_t b) {
    std::vector<float> values;
    const auto add = [&](const AlignedFloats& part) {
      const std::vector<float> rows = to_rows(s, part);
      for (std::int64_t l = 0; l < layers; ++l) {
        const auto row = rows.begin() + (l * s.streams + b) * hidden;
        values.insert(values.end(), row, row + hidden);
      }
    };
    add(s.h);
    if (s.has_c) add(s.c);
    return values;
  }

  /// Units that do not exist are zeros: the products take them along.
  static void expect_padding_is_zero(const State& s) {
    for (const AlignedFloats* part : {&s.h, &s.c})
      for (std::size_t i = 0; i < part->size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        const std::int64_t unit = at / (s.streams * 16) % s.blocks() * 16 + at % 16;
        if (unit >= hidden) {
          ASSERT_EQ((*part)[i], 0) << i;
        }
      }
  }

  State state;
  std::vector<float> h, c;  ///< [layers, streams, hidden]
};

TEST_P(StateTest, ZerosForACell) {
  const State zeros = State::zeros({.cell = GetParam(), .layers = layers, .hidden = hidden}, streams);
  EXPECT_EQ(zeros.has_c, GetParam() == Cell::lstm);
  EXPECT_EQ(zeros.blocks(), 4);
  EXPECT_EQ(zeros.h, AlignedFloats(layers * 4 * streams * 16, 0.0F));
  EXPECT_EQ(zeros.c, zeros.has_c ? zeros.h : AlignedFloats());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(zeros.h.data()) % 64, 0U);
}

TEST_P(StateTest, RowsGoInAndComeOut) {
  EXPECT_EQ(to_rows(state, state.h), h);
  if (state.has_c) {
    EXPECT_EQ(to_rows(state, state.c), c);
  }
  // Where the kernels look for layer 1, stream 2, unit 20: [layers][blocks][streams][16].
  EXPECT_EQ(state.h[((1 * 4 + 1) * streams + 2) * 16 + 4], h[(1 * streams + 2) * hidden + 20]);
  expect_padding_is_zero(state);
}

TEST_P(StateTest, ClearSetsOneStreamToZeros) {
  State cleared = state;
  cleared.clear(1);
  EXPECT_EQ(stream(cleared, 0), stream(state, 0));
  EXPECT_EQ(stream(cleared, 1), std::vector<float>(stream(state, 1).size(), 0.0F));
  EXPECT_EQ(stream(cleared, 2), stream(state, 2));
  expect_padding_is_zero(cleared);
}

TEST_P(StateTest, GatherTakesStreamsInAnyOrderAndZeros) {
  const std::vector<std::int64_t> from{2, -1, 0, 2, 1};
  const State gathered = state.gather(from);
  ASSERT_EQ(gathered.streams, 5);
  EXPECT_EQ(gathered.layers, layers);
  EXPECT_EQ(gathered.hidden, hidden);
  EXPECT_EQ(gathered.has_c, state.has_c);
  for (std::int64_t i = 0; i < 5; ++i) {
    const std::int64_t b = from[static_cast<std::size_t>(i)];
    EXPECT_EQ(stream(gathered, i), b < 0 ? std::vector<float>(stream(state, 0).size(), 0.0F) : stream(state, b)) << i;
  }
  expect_padding_is_zero(gathered);
  const State back = gathered.gather(std::vector<std::int64_t>{2, 4, 0});
  EXPECT_EQ(back.h, state.h);
  EXPECT_EQ(back.c, state.c);
  EXPECT_EQ(state.gather({}).streams, 0);
  EXPECT_TRUE(state.gather({}).h.empty());
}

INSTANTIATE_TEST_SUITE_P(Cells, StateTest, testing::Values(Cell::rnn, Cell::gru, Cell::lstm), [](const auto& cell) {
  return std::string(cell_names[static_cast<std::size_t>(cell.param)]);
});

}  // namespace
}  // namespace charnn
