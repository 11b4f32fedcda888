#include "fast/blocked.h"

#include <vector>

#include <gtest/gtest.h>

#include "core/data/torch.h"
#include "tests/kernels/arrays.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;

TEST(Buffer, GrowsAlignedAndZero) {
  for (int again = 0; again < 3; ++again) {  // in memory that held something else
    Buffer buffer;
    EXPECT_EQ(buffer.size(), 0);
    for (const std::int64_t n : {5, 1000}) {
      buffer.reserve(n);
      EXPECT_EQ(buffer.size(), n);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.floats()) % 64, 0U);
      for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(buffer.floats()[i], 0);
      std::fill_n(buffer.floats(), n, 3.0F);
    }
    buffer.reserve(20);
    EXPECT_EQ(buffer.size(), 1000);
    EXPECT_EQ(buffer.floats()[999], 3);
  }
}

TEST(Axis, PlacesBlocks) {
  const Axis axis{37, 4, {100, 0}, 5};  // two groups of 37, padded to 64
  EXPECT_EQ(axis.count(), 8);
  EXPECT_EQ(axis.padded(), 128);
  const std::int64_t offset[8] = {100, 116, 132, 148, 0, 16, 32, 48}, valid[4] = {16, 16, 5, 0};
  for (std::int64_t b = 0; b < 8; ++b) {
    EXPECT_EQ(axis.place(b).offset, offset[b] * 5) << b;
    EXPECT_EQ(axis.place(b).valid, valid[b % 4]) << b;
  }
}

TEST(CellLayout, GatesAreInPyTorchsOrder) {
  const auto expect = [](Cell cell, CellLayout expected) {
    const CellLayout actual = layout_of(cell);
    EXPECT_EQ(actual.slots, expected.slots);
    EXPECT_EQ(actual.x_first, expected.x_first);
    EXPECT_EQ(actual.x_count, expected.x_count);
    EXPECT_EQ(actual.h_first, expected.h_first);
    EXPECT_EQ(actual.h_count, expected.h_count);
    for (std::size_t slot = 0; slot < static_cast<std::size_t>(expected.slots); ++slot)
      EXPECT_EQ(actual.gate[slot], expected.gate[slot]);
  };
  expect(Cell::rnn, {1, 0, 1, 0, 1, {0}});
  expect(Cell::gru, {4, 0, 3, 1, 3, {2, 0, 1, 2}});  // n, r, z, n out of r, z, n
  expect(Cell::lstm, {4, 0, 4, 0, 4, {0, 1, 2, 3}});
}

/// A PyTorch matrix [3 * 5, 19] of gates by inputs, its gates 2, 0, 1 each padded to two blocks.
struct Matrix {
  static constexpr std::int64_t H = 5, inputs = 19, groups = 3;
  const Axis input{inputs, 2, {0}, 1};
  const Axis gates{H, 2, {2 * H, 0, H}, inputs};
  const Buffer weight = test::random_floats(groups * H * inputs, 1, 1, 2);

  /// The element that stands at these padded places, 0 where there is none.
  float at(std::int64_t gate, std::int64_t in) const {
    if (gate % 32 >= H || in >= inputs) return 0;
    return weight.floats()[(gates.first[static_cast<std::size_t>(gate / 32)] + gate % 32) * inputs + in];
  }
};

/// Checks all panels, read as Gemm's comment says; `at` (k, n) is what is expected.
template <class At>
void expect_panels(const Panels& panels, std::int64_t k_padded, std::int64_t n_padded, const At& at) {
  const Gemm g = panels.gemm(0, n_padded / C);
  ASSERT_EQ(g.k, k_padded);
  ASSERT_EQ(g.panels, n_padded / C);
  const float* b = static_cast<const float*>(g.b);
  for (std::int64_t k = 0; k < k_padded; ++k)
    for (std::int64_t n = 0; n < n_padded; ++n)
      ASSERT_EQ(b[n / C * g.b_panel + k * C + n % C], at(k, n)) << k << " " << n;
}

TEST(Panels, PackBothWays) {
  const Matrix m;
  ThreadPool pool(2);
  Panels forward, backward;
  forward.pack(m.weight.floats(), m.input, m.gates, Format::f32, pool);
  expect_panels(forward, 32, 96, [&](std::int64_t k, std::int64_t n) { return m.at(n, k); });
  backward.pack(m.weight.floats(), m.gates, m.input, Format::f32, pool);
  expect_panels(backward, 96, 32, [&](std::int64_t k, std::int64_t n) { return m.at(k, n); });
}

TEST(Panels, PackingAnewLeavesNothingBehind) {
  const Matrix m;
  ThreadPool pool(1);
  Panels panels;
  panels.pack(m.weight.floats(), m.input, m.gates, Format::f32, pool);
  std::fill_n(panels.data.floats(), panels.data.size(), 9.0F);
  panels.pack(m.weight.floats(), m.input, m.gates, Format::f32, pool);
  expect_panels(panels, 32, 96, [&](std::int64_t k, std::int64_t n) { return m.at(n, k); });
}

TEST(Panels, PackPairs) {
  if (bf16_unit() == Bf16Unit::none) GTEST_SKIP() << "this CPU cannot multiply bf16";
  const Matrix m;
  ThreadPool pool(2);
  for (const Format format : {Format::bf16, Format::bf16x3}) {
    Panels panels;
    panels.pack(m.weight.floats(), m.input, m.gates, format, pool);
    const Gemm g = panels.gemm(0, 6);
    ASSERT_EQ(g.k, 16);
    const auto* b = static_cast<const std::uint32_t*>(g.b);
    for (std::int64_t k = 0; k < 32; ++k)
      for (std::int64_t n = 0; n < 96; ++n) {
        float sum = 0;
        for (std::int64_t q = planes(format) - 1; q >= 0; --q) {
          const std::uint32_t pair = b[q * g.b_plane + n / C * g.b_panel + k / 2 * C + n % C];
          const std::uint32_t bits = k % 2 == 0 ? pair << 16 : pair & 0xffff0000U;
          float part;
          std::memcpy(&part, &bits, sizeof part);
          sum += part;
        }
        const float exact = m.at(n, k);
        ASSERT_EQ(sum, format == Format::bf16 ? static_cast<float>(at::BFloat16(exact)) : exact) << k << " " << n;
      }
  }
}

TEST(Panels, SomePanelsApart) {
  const Matrix m;
  ThreadPool pool(1);
  Panels panels;
  panels.pack(m.weight.floats(), m.input, m.gates, Format::f32, pool);
  const Gemm g = panels.gemm(1, 3, 2);
  EXPECT_EQ(g.panels, 3);
  for (std::int64_t p = 0; p < 3; ++p)
    for (std::int64_t j = 0; j < C; ++j)
      EXPECT_EQ(static_cast<const float*>(g.b)[p * g.b_panel + 3 * C + j], m.at((1 + 2 * p) * C + j, 3));
}

}  // namespace
}  // namespace charnn
