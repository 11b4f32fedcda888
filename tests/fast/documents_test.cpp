// Documents: nothing passes from one to the next, neither state nor gradient.
#include <algorithm>
#include <gtest/gtest.h>
#include "core/model/network.h"
#include "core/model/torch_runtime.h"
#include "tests/core/model/reference.h"

namespace charnn {
namespace {

using test::all_close;

constexpr std::int64_t V = 9, T = 11, B = 3, start = 4;

class Documents : public testing::TestWithParam<Cell> {
 protected:
  Documents()
      : network({.cell = GetParam(), .layers = 2, .hidden = 18, .embedding = 5}, (seed_generators(5), V)),
        batch(test::random_batch(T, B, V, 6)),
        state(test::random_state(network.config(), B, 7)) {
    batch.starts.resize(batch.input.size());
    std::fill_n(batch.starts.begin() + start * B, B, std::uint8_t{1});
  }

  /// The second document.
  Batch second() const {
    Batch alone(T - start, B, false);
    std::copy(batch.input.begin() + start * B, batch.input.end(), alone.input.begin());
    std::copy(batch.target.begin() + start * B, batch.target.end(), alone.target.begin());
    return alone;
  }

  struct Scored {
    std::vector<double> nats, h, c;
  };
  Scored score(const Batch& text, State from) {
    std::vector<float> nats(text.input.size());
    network.score_window(text, from, nats);
    return {test::doubles(nats), test::doubles(to_rows(from, from.h)),
            from.has_c ? test::doubles(to_rows(from, from.c)) : std::vector<double>()};
  }

  Network network;
  Batch batch;
  State state;
};

TEST_P(Documents, ADocumentIsReadAsIfItWereAlone) {
  const Scored together = score(batch, state), alone = score(second(), network.zero_state(B));
  const auto its_nats = [](const Scored& all) { return std::span(all.nats).subspan(start * B); };
  EXPECT_TRUE(all_close(its_nats(together), alone.nats, 1e-6, 1e-6));
  EXPECT_TRUE(all_close(together.h, alone.h, 1e-6, 1e-6));
  EXPECT_TRUE(all_close(together.c, alone.c, 1e-6, 1e-6));
  batch.starts.clear();
  const Scored without = score(batch, state);
  EXPECT_FALSE(all_close(its_nats(without), alone.nats, 1e-3, 1e-3)) << "else nothing is tested";
  EXPECT_TRUE(std::equal(without.nats.begin(), without.nats.begin() + start * B, together.nats.begin()));
}

TEST_P(Documents, NoGradientPassesTheBoundary) {
  // Only the second document's predictions count. If any gradient reached the first, these would differ.
  std::fill_n(batch.target.begin(), start * B, -1);
  const test::Trained together = test::train(network, batch, state);
  test::Trained alone = test::train(network, second(), network.zero_state(B));
  constexpr double share = static_cast<double>(T - start) / T;  // of what the mean is over
  for (double& gradient : alone.gradients) gradient *= share;
  EXPECT_NEAR(together.loss, alone.loss * share, 1e-6);
  EXPECT_TRUE(all_close(together.gradients, alone.gradients, 1e-5, 1e-6));
}

INSTANTIATE_TEST_SUITE_P(Cells, Documents, testing::Values(Cell::rnn, Cell::gru, Cell::lstm),
                         [](const auto& cell) { return cell_names[static_cast<std::size_t>(cell.param)]; });

}  // namespace
}  // namespace charnn
