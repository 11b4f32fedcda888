// The cells. Their formulas are checked in double precision: forwards against PyTorch's documentation, backwards
// against numerical differentiation. The kernels, which have the same formulas for vectors of floats, are held against
// them.
#include "kernels/cells.h"
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <gtest/gtest.h>
#include "tests/kernels/arrays.h"
#include "tests/kernels/targets.h"

namespace charnn {
namespace {

namespace exact {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// What the formulas ask of a number type.
double fma(double a, double b, double c) { return a * b + c; }
double fnma(double a, double b, double c) { return c - a * b; }
double tanh(double x) { return std::tanh(x); }
void sigmoids(double& a, double& b) { a = sigmoid(a), b = sigmoid(b); }
void tanh_sigmoid(double& a, double& b) { a = std::tanh(a), b = sigmoid(b); }
double tanh_slope(double y) { return 1 - y * y; }
double sigmoid_slope(double y) { return y - y * y; }

#include "kernels/cell_formulas.inc"

/// One step of one hidden unit, fields as in CellArrays.
struct Unit {
  double slot[4] = {}, h_prev = 0, c_prev = 0, h = 0, c = 0, dh = 0, dh_prev = 0, dc = 0;

  void forward(Cell cell) {
    auto& [s0, s1, s2, s3] = slot;
    if (cell == Cell::rnn) rnn_forward(s0, h);
    if (cell == Cell::gru) gru_forward(s0, s1, s2, s3, h_prev, h);
    if (cell == Cell::lstm) lstm_forward(s0, s1, s2, s3, c_prev, c, h);
  }
  void backward(Cell cell) {
    auto& [s0, s1, s2, s3] = slot;
    if (cell == Cell::gru) dh_prev += dh * s2;
    if (cell == Cell::rnn) rnn_backward(s0, dh);
    if (cell == Cell::gru) gru_backward(s0, s1, s2, s3, h_prev, dh);
    if (cell == Cell::lstm) lstm_backward(s0, s1, s2, s3, c_prev, c, dh, dc);
  }
};

}  // namespace exact

std::string name_of(Cell cell) { return cell == Cell::rnn ? "rnn" : cell == Cell::gru ? "gru" : "lstm"; }

TEST(CellKind, GatesAreInPyTorchsOrder) {
  const auto expect = [](Cell cell, int gates, std::array<int, 5> slots, std::array<int, 4> gate_of_slot) {
    SCOPED_TRACE(name_of(cell));
    const CellKind& kind = kind_of(cell);
    EXPECT_EQ(kind.gates, gates);
    EXPECT_EQ((std::array{kind.slots, kind.x_first, kind.x_count, kind.h_first, kind.h_count}), slots);
    for (std::size_t slot = 0; slot < static_cast<std::size_t>(kind.slots); ++slot)
      EXPECT_EQ(kind.gate_of_slot[slot], gate_of_slot[slot]) << slot;
    EXPECT_EQ(kind.has_c, cell == Cell::lstm);
  };
  expect(Cell::rnn, 1, {1, 0, 1, 0, 1}, {0});
  expect(Cell::gru, 3, {4, 0, 3, 1, 3}, {2, 0, 1, 2});  // n, r, z, n out of r, z, n
  expect(Cell::lstm, 4, {4, 0, 4, 0, 4}, {0, 1, 2, 3});
  EXPECT_TRUE(kind_of(Cell::gru).takes_x(0) && !kind_of(Cell::gru).takes_h(0));
  EXPECT_TRUE(kind_of(Cell::gru).takes_h(3) && !kind_of(Cell::gru).takes_x(3));
}

class Formulas : public testing::TestWithParam<Cell> {
 protected:
  exact::Unit unit() {
    exact::Unit u;
    for (double& sum : u.slot) sum = 2 * normal(random);
    for (double* value : {&u.h_prev, &u.c_prev, &u.dh, &u.dh_prev, &u.dc}) *value = normal(random);
    return u;
  }
  std::mt19937 random{7};
  std::normal_distribution<double> normal;
};
INSTANTIATE_TEST_SUITE_P(Cells, Formulas, testing::Values(Cell::rnn, Cell::gru, Cell::lstm),
                         [](const auto& cell) { return name_of(cell.param); });

TEST_P(Formulas, ForwardIsPyTorchs) {
  using exact::sigmoid;
  for (int i = 0; i < 20; ++i) {
    const exact::Unit before = unit();
    exact::Unit after = before;
    after.forward(GetParam());
    const auto& s = before.slot;
    double h = std::tanh(s[0]), c = 0;
    if (GetParam() == Cell::gru) {
      const double r = sigmoid(s[1]), z = sigmoid(s[2]), n = std::tanh(s[0] + r * s[3]);
      h = (1 - z) * n + z * before.h_prev;
    } else if (GetParam() == Cell::lstm) {
      c = sigmoid(s[1]) * before.c_prev + sigmoid(s[0]) * std::tanh(s[2]);
      h = sigmoid(s[3]) * std::tanh(c);
    }
    EXPECT_NEAR(after.h, h, 1e-14);
    EXPECT_NEAR(after.c, c, 1e-14);
  }
}

TEST_P(Formulas, BackwardMatchesNumericalDifferentiation) {
  for (int i = 0; i < 20; ++i) {
    exact::Unit u = unit();
    if (GetParam() != Cell::lstm) u.dc = 0;
    exact::Unit back = u;
    back.forward(GetParam());
    back.backward(GetParam());
    // The loss is dh * h + dc * c.
    const auto slope = [&](double& value) {
      constexpr double step = 1e-6;
      const double at = value;
      double loss[2];
      for (const int up : {0, 1}) {
        value = up == 1 ? at + step : at - step;
        exact::Unit now = u;
        now.forward(GetParam());
        loss[up] = now.dh * now.h + now.dc * now.c;
      }
      value = at;
      return (loss[1] - loss[0]) / (2 * step);
    };
    for (int slot = 0; slot < kind_of(GetParam()).slots; ++slot)
      EXPECT_NEAR(back.slot[slot], slope(u.slot[slot]), 1e-8) << "slot " << slot;
    EXPECT_NEAR(back.dh_prev - u.dh_prev, slope(u.h_prev), 1e-8);
    if (GetParam() == Cell::lstm) {
      EXPECT_NEAR(back.dc, slope(u.c_prev), 1e-8);
    }
  }
}

/// A step of n units through the kernels, and the same in double precision.
struct Step {
  static constexpr std::int64_t n = 48;

  explicit Step(Cell c_) : cell(c_), kind(kind_of(c_)) {
    for (std::size_t slot = 0; slot < static_cast<std::size_t>(kind.slots); ++slot) {
      sums[slot] = test::random_floats(n, 10 + static_cast<unsigned>(slot), -6, 6);
      arrays.slot[slot] = sums[slot].floats();
    }
    arrays.h_prev = h_prev.floats(), arrays.c_prev = c_prev.floats();
    arrays.h = h.floats(), arrays.c = c.floats();
    arrays.dh = dh.floats(), arrays.dh_prev = dh_prev.floats(), arrays.dc = dc.floats();
    for (std::int64_t j = 0; j < n; ++j) {
      exact::Unit& u = expected[j];
      for (int slot = 0; slot < kind.slots; ++slot) u.slot[slot] = sums[slot].floats()[j];
      u.h_prev = h_prev.floats()[j], u.c_prev = c_prev.floats()[j];
      u.dh = dh.floats()[j], u.dh_prev = dh_prev.floats()[j], u.dc = dc.floats()[j];
    }
  }

  void forward() {
    kind.forward(arrays, n);
    for (exact::Unit& u : expected) u.forward(cell);
  }
  void backward() {
    kind.backward(arrays, n);
    for (exact::Unit& u : expected) u.backward(cell);
  }

  void expect(const Buffer& actual, double exact::Unit::*field, double tolerance, const char* what) const {
    for (std::int64_t j = 0; j < n; ++j) EXPECT_NEAR(actual.floats()[j], expected[j].*field, tolerance) << what << j;
  }
  void expect_gradients() const {
    for (int slot = 0; slot < kind.slots; ++slot)
      for (std::int64_t j = 0; j < n; ++j)
        EXPECT_NEAR(sums[slot].floats()[j], expected[j].slot[slot], 3e-6) << "slot " << slot << ", unit " << j;
  }

  Cell cell;
  const CellKind& kind;
  Buffer sums[4];
  Buffer h_prev = test::random_floats(n, 1), c_prev = test::random_floats(n, 2, -3, 3);
  Buffer dh = test::random_floats(n, 3), dc = test::random_floats(n, 4), dh_prev = test::random_floats(n, 7);
  Buffer h = test::random_floats(n, 5), c = test::random_floats(n, 6);
  CellArrays arrays;
  exact::Unit expected[n];
};

class CellKernels : public test::EachTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, CellKernels, testing::ValuesIn(test::targets()), CellKernels::name);

TEST_P(CellKernels, Rnn) {
  Step s(Cell::rnn);
  s.forward();
  s.expect(s.h, &exact::Unit::h, 4e-7, "h");
  s.backward();
  s.expect_gradients();
}

TEST_P(CellKernels, Lstm) {
  for (const bool in_place : {false, true}) {
    Step s(Cell::lstm);
    const Buffer before = s.c_prev;
    if (in_place) s.arrays.c = s.c_prev.floats();
    s.forward();
    s.expect(s.h, &exact::Unit::h, 2e-6, "h");
    s.expect(in_place ? s.c_prev : s.c, &exact::Unit::c, 2e-6, "c");
    s.arrays.c_prev = before.floats();
    s.backward();
    s.expect_gradients();
    s.expect(s.dc, &exact::Unit::dc, 3e-6, "dc");
  }
}

TEST_P(CellKernels, Gru) {
  for (const bool wanted : {true, false}) {
    Step s(Cell::gru);
    const Buffer state_part = s.sums[3], before = s.dh_prev;
    s.forward();
    s.expect(s.h, &exact::Unit::h, 2e-6, "h");
    EXPECT_TRUE(test::same_bytes(s.sums[3], state_part));
    if (!wanted) s.arrays.dh_prev = nullptr;
    s.backward();
    s.expect_gradients();
    if (wanted)
      s.expect(s.dh_prev, &exact::Unit::dh_prev, 2e-6, "dh_prev");
    else
      EXPECT_TRUE(test::same_bytes(s.dh_prev, before));
  }
}

/// A dense grid, then extreme values.
Buffer arguments() {
  constexpr std::int64_t grid = 1 << 17;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Buffer x;
  x.reserve(grid + 16);
  for (std::int64_t i = 0; i < grid; ++i) x.floats()[i] = -40.0F + 80.0F * static_cast<float>(i) / grid;
  const float extreme[16] = {infinity, -infinity, 3e38F, -3e38F, 0.0F, -0.0F, 1e-30F, -1e-30F,
                             1e-40F,   -1e-40F,   9.0F,  -9.0F,  1e4F, -1e4F, 18.0F,  -18.0F};
  std::copy_n(extreme, 16, x.floats() + grid);
  return x;
}

TEST_P(CellKernels, TanhAndSigmoid) {
  const Buffer x = arguments();
  const std::int64_t n = x.size();
  Buffer y = x, h = x, c = x;
  kind_of(Cell::rnn).forward({.slot = {y.floats()}, .h = h.floats()}, n);
  for (std::int64_t i = 0; i < n; ++i)
    ASSERT_NEAR(h.floats()[i], std::tanh(static_cast<double>(x.floats()[i])), 4e-7) << x.floats()[i];
  // The activations of an lstm: two at a time share a division, with equal and with unlike arguments.
  for (const std::int64_t shift : {0, 1, 1000, 1 << 16}) {
    const auto other = [&](std::int64_t i) { return x.floats()[(i + shift) % n]; };
    Buffer slots[4] = {x, x, x, x};
    for (std::int64_t i = 0; i < n; ++i) slots[1].floats()[i] = slots[3].floats()[i] = other(i);
    kind_of(Cell::lstm)
        .forward({.slot = {slots[0].floats(), slots[1].floats(), slots[2].floats(), slots[3].floats()},
                  .c_prev = x.floats(),
                  .h = h.floats(),
                  .c = c.floats()},
                 n);
    for (std::int64_t i = 0; i < n; ++i) {
      const double own = x.floats()[i], its_other = other(i);
      ASSERT_NEAR(slots[0].floats()[i], exact::sigmoid(own), 4e-7) << own << " beside " << its_other;
      ASSERT_NEAR(slots[1].floats()[i], exact::sigmoid(its_other), 4e-7) << its_other << " beside " << own;
      ASSERT_NEAR(slots[2].floats()[i], std::tanh(own), 4e-7) << own << " beside " << its_other;
      ASSERT_NEAR(slots[3].floats()[i], exact::sigmoid(its_other), 4e-7) << its_other << " beside " << own;
    }
  }
}

TEST_P(CellKernels, NanReachesTheState) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm})
    for (int slot = 0; slot < kind_of(cell).slots; ++slot) {
      Step s(cell);
      s.sums[slot].floats()[9] = nan;
      s.sums[slot].floats()[31] = -nan;
      s.forward();
      for (std::int64_t j = 0; j < Step::n; ++j) {
        EXPECT_EQ(std::isnan(s.h.floats()[j]), j == 9 || j == 31) << name_of(cell) << " h, slot " << slot << ", " << j;
        EXPECT_EQ(std::isnan(s.sums[slot].floats()[j]), j == 9 || j == 31) << name_of(cell) << " " << slot << " " << j;
      }
    }
}

}  // namespace
}  // namespace charnn
