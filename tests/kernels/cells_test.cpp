#include "kernels/cell_kernels.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "fast/reference_cell.h"
#include "tests/kernels/arrays.h"
#include "tests/kernels/targets.h"

namespace charnn {
namespace {

using test::copy_of;
using test::random_floats;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// A dense grid, then extreme values.
Buffer arguments() {
  constexpr std::int64_t grid = 1 << 17;
  Buffer x;
  x.reserve(grid + 16);
  for (std::int64_t i = 0; i < grid; ++i) x.floats()[i] = -40.0F + 80.0F * static_cast<float>(i) / grid;
  const float extreme[16] = {infinity, -infinity, 3e38F, -3e38F, 0.0F, -0.0F, 1e-30F, -1e-30F,
                             1e-40F,   -1e-40F,   9.0F,  -9.0F,  1e4F, -1e4F, 18.0F,  -18.0F};
  std::copy_n(extreme, 16, x.floats() + grid);
  return x;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

class CellKernels : public test::EachTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, CellKernels, testing::ValuesIn(test::targets()), CellKernels::name);

TEST_P(CellKernels, TanhAndSigmoid) {
  const Buffer x = arguments();
  Buffer out = copy_of(x);
  tanh_array(x.floats(), out.floats(), x.size());
  for (std::int64_t i = 0; i < x.size(); ++i)
    ASSERT_NEAR(out.floats()[i], std::tanh(static_cast<double>(x.floats()[i])), 4e-7) << x.floats()[i];
  sigmoid_array(x.floats(), out.floats(), x.size());
  for (std::int64_t i = 0; i < x.size(); ++i)
    ASSERT_NEAR(out.floats()[i], sigmoid(static_cast<double>(x.floats()[i])), 4e-7) << x.floats()[i];
}

TEST_P(CellKernels, NanStaysNan) {
  for (const auto f : {tanh_array, sigmoid_array}) {
    Buffer x = random_floats(32, 1), out = copy_of(x);
    x.floats()[5] = nan;
    x.floats()[31] = -nan;
    f(x.floats(), out.floats(), 32);
    for (int i = 0; i < 32; ++i) EXPECT_EQ(std::isnan(out.floats()[i]), i == 5 || i == 31) << i;
  }
}

/// One step of n units whose sums are given: a reference cell with these as its biases and no weights.
struct Step {
  static constexpr std::int64_t n = 48;

  explicit Step(Cell kind) : cell(kind), layout(layout_of(kind)) {
    const std::int64_t G = gate_count(cell) * n;
    const auto zeros = [](std::int64_t size) { return std::vector<double>(static_cast<std::size_t>(size), 0.0); };
    weights = {1, n, zeros(G), zeros(n * G), zeros(G), zeros(G)};
    gradient = weights;
    for (int slot = 0; slot < layout.slots; ++slot) {
      sums[slot] = random_floats(n, 10 + static_cast<unsigned>(slot), -6, 6);
      auto& bias = is_h_part(slot) ? weights.bias_hh : weights.bias_ih;
      for (std::int64_t j = 0; j < n; ++j) bias[at(slot, j)] = sums[slot].floats()[j];
      gates.at[slot] = sums[slot].floats();
    }
    expected_h.assign(h_prev.floats(), h_prev.floats() + n);
    expected_c.assign(c_prev.floats(), c_prev.floats() + n);
    const double x = 0;
    cell_forward(cell, weights, &x, expected_h.data(), expected_c.data(), tape);
    by_h.assign(dh.floats(), dh.floats() + n);
    by_c.assign(dc.floats(), dc.floats() + n);
    double dx = 0;
    cell_backward(cell, weights, tape, by_h.data(), by_c.data(), &dx, gradient);
  }

  bool is_h_part(int slot) const { return cell == Cell::gru && slot == 3; }
  std::size_t at(int slot, std::int64_t j) const {
    return static_cast<std::size_t>(layout.gate[static_cast<std::size_t>(slot)] * n + j);
  }
  void expect(const Buffer& actual, const std::vector<double>& expected, double tolerance, const char* what) const {
    for (std::int64_t j = 0; j < n; ++j)
      EXPECT_NEAR(actual.floats()[j], expected[static_cast<std::size_t>(j)], tolerance) << what << " " << j;
  }
  void expect_gradients() const {
    for (int slot = 0; slot < layout.slots; ++slot)
      for (std::int64_t j = 0; j < n; ++j)
        EXPECT_NEAR(gates.at[slot][j], (is_h_part(slot) ? gradient.bias_hh : gradient.bias_ih)[at(slot, j)], 3e-6)
            << "slot " << slot << ", unit " << j;
  }

  Cell cell;
  CellLayout layout;
  Buffer sums[4];
  Gates gates{};
  Buffer h_prev = random_floats(n, 1), c_prev = random_floats(n, 2, -3, 3);
  Buffer dh = random_floats(n, 3), dc = random_floats(n, 4), h = random_floats(n, 5), c = random_floats(n, 6);
  CellWeights<double> weights, gradient;
  CellTape<double> tape;
  std::vector<double> expected_h, expected_c, by_h, by_c;
};

TEST_P(CellKernels, Rnn) {
  Step s(Cell::rnn);
  rnn_forward(s.gates.at[0], s.h.floats(), Step::n);
  s.expect(s.h, s.expected_h, 4e-7, "h");
  rnn_backward(s.gates.at[0], s.dh.floats(), Step::n);
  s.expect_gradients();
}

TEST_P(CellKernels, Lstm) {
  for (const bool in_place : {false, true}) {
    Step s(Cell::lstm);
    Buffer before = copy_of(s.c_prev);
    Buffer& c = in_place ? s.c_prev : s.c;
    lstm_forward(s.gates, s.c_prev.floats(), c.floats(), s.h.floats(), Step::n);
    s.expect(s.h, s.expected_h, 2e-6, "h");
    s.expect(c, s.expected_c, 2e-6, "c");
    lstm_backward(s.gates, before.floats(), c.floats(), s.dh.floats(), s.dc.floats(), Step::n);
    s.expect_gradients();
    s.expect(s.dc, s.by_c, 3e-6, "dc");
  }
}

TEST_P(CellKernels, Gru) {
  for (const bool wanted : {true, false}) {
    Step s(Cell::gru);
    const Buffer state_part = copy_of(s.sums[3]);
    gru_forward(s.gates, s.h_prev.floats(), s.h.floats(), Step::n);
    s.expect(s.h, s.expected_h, 2e-6, "h");
    EXPECT_TRUE(test::same_bytes(s.sums[3], state_part));
    Buffer dh_prev = random_floats(Step::n, 7);
    const Buffer before = copy_of(dh_prev);
    gru_backward(s.gates, s.h_prev.floats(), s.dh.floats(), wanted ? dh_prev.floats() : nullptr, Step::n);
    s.expect_gradients();
    for (std::int64_t j = 0; j < Step::n; ++j)
      EXPECT_NEAR(dh_prev.floats()[j] - before.floats()[j], wanted ? s.by_h[static_cast<std::size_t>(j)] : 0, 2e-6);
  }
}

TEST_P(CellKernels, NanReachesTheState) {
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm})
    for (int slot = 0; slot < layout_of(cell).slots; ++slot) {
      Step s(cell);
      s.gates.at[slot][9] = nan;
      if (cell == Cell::rnn) rnn_forward(s.gates.at[0], s.h.floats(), Step::n);
      if (cell == Cell::gru) gru_forward(s.gates, s.h_prev.floats(), s.h.floats(), Step::n);
      if (cell == Cell::lstm) lstm_forward(s.gates, s.c_prev.floats(), s.c.floats(), s.h.floats(), Step::n);
      for (std::int64_t j = 0; j < Step::n; ++j) EXPECT_EQ(std::isnan(s.h.floats()[j]), j == 9) << j;
    }
}

}  // namespace
}  // namespace charnn
