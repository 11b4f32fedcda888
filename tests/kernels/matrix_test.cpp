// Factors of products. What a format has made of them is read by multiplying with the identity matrix.
#include "kernels/matrix.h"
#include <cmath>
#include <limits>
#include <vector>
#include <gtest/gtest.h>
#include "kernels/thread_pool.h"
#include "tests/kernels/arrays.h"

namespace charnn {
namespace {

constexpr std::int64_t W = block_width;

/// The formats that this CPU multiplies.
std::vector<Format> formats() {
  std::vector<Format> all{Format::f32};
  if (bf16_unit() != Bf16Unit::none) all.push_back(Format::bf16);
  if (bf16_unit() == Bf16Unit::amx) all.push_back(Format::bf16x3);
  return all;
}

float rounded(Format format, float x) { return format == Format::bf16 ? test::as_bf16(x) : x; }

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

TEST(BlockedAxis, PlacesBlocks) {
  const BlockedAxis axis{37, 4, {100, 0}, 5};  // two groups of 37, padded to 64
  EXPECT_EQ(axis.count(), 8);
  EXPECT_EQ(axis.padded(), 128);
  const std::int64_t offset[8] = {100, 116, 132, 148, 0, 16, 32, 48}, valid[4] = {16, 16, 5, 0};
  for (std::int64_t b = 0; b < 8; ++b) {
    EXPECT_EQ(axis.span(b).offset, offset[b] * 5) << b;
    EXPECT_EQ(axis.span(b).valid, valid[b % 4]) << b;
  }
}

/// The identity matrix of n, a multiple of 32, as right factor.
RightMatrix identity(std::int64_t n, Format format) {
  std::vector<float> matrix(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i) matrix[static_cast<std::size_t>(i * n + i)] = 1;
  ThreadPool pool(1);
  RightMatrix right;
  right.pack(matrix.data(), {n, n / W, {0}, n}, {n, n / W, {0}, 1}, format, pool);
  return right;
}

/// Some panels of a right factor with k rows, in floats: [panels][k][16].
Buffer read(const RightMatrix& right, std::int64_t k, const PanelRange& panels, Format format) {
  Buffer ones = test::filled(k * k, 0), out = test::filled(panels.count * k * W, 9);
  for (std::int64_t i = 0; i < k; ++i) ones.floats()[(i / W * k + i) * W + i % W] = 1;
  LeftMatrix left;
  left.bind(format, ones.floats(), k * W, k / W, k);
  left.update_rows(0, k);
  multiply(left.rows(0, k), right, panels, {out.floats(), k * W});
  return out;
}

/// A PyTorch matrix [3 * 5, 19] of gates by inputs, its gates 2, 0, 1 each padded to two blocks.
struct Matrix {
  static constexpr std::int64_t H = 5, inputs = 19, groups = 3;
  const BlockedAxis input_rows{inputs, 2, {0}, 1};
  const BlockedAxis gates{H, 2, {2 * H, 0, H}, inputs};
  const Buffer weight = test::random_floats(groups * H * inputs, 1, 1, 2);

  /// The element that stands at these padded places, 0 where there is none.
  float at(std::int64_t gate, std::int64_t in) const {
    if (gate % 32 >= H || in >= inputs) return 0;
    return weight.floats()[(gates.first[static_cast<std::size_t>(gate / 32)] + gate % 32) * inputs + in];
  }

  RightMatrix forward(Format format, int threads = 1) const {
    ThreadPool pool(threads);
    RightMatrix right;
    right.pack(weight.floats(), input_rows, gates, format, pool);
    return right;
  }
};

/// Checks all panels; `at` (k, n) is what is expected.
template <class At>
void expect_panels(const RightMatrix& right, Format format, std::int64_t k_padded, std::int64_t n_padded,
                   const At& at) {
  ASSERT_EQ(right.k(), elements(format, k_padded));
  const Buffer b = read(right, k_padded, {0, n_padded / W}, format);
  for (std::int64_t k = 0; k < k_padded; ++k)
    for (std::int64_t n = 0; n < n_padded; ++n) {
      ASSERT_EQ(b.floats()[(n / W * k_padded + k) * W + n % W], rounded(format, at(k, n))) << k << " " << n;
      if (format == Format::f32) {
        ASSERT_EQ(right.row(n / W, k)[n % W], at(k, n)) << k << " " << n;
      }
    }
}

TEST(RightMatrix, PacksBothWays) {
  const Matrix m;
  for (const Format format : formats()) {
    expect_panels(m.forward(format, 2), format, 32, 96, [&](std::int64_t k, std::int64_t n) { return m.at(n, k); });
    ThreadPool pool(2);
    RightMatrix backward;
    backward.pack(m.weight.floats(), m.gates, m.input_rows, format, pool);
    expect_panels(backward, format, 96, 32, [&](std::int64_t k, std::int64_t n) { return m.at(k, n); });
  }
}

TEST(RightMatrix, PackingAnewLeavesNothingBehind) {
  const Matrix m;
  const Buffer nines = test::filled(32 * 96, 9);
  ThreadPool pool(1);
  for (const Format format : formats()) {
    RightMatrix right;
    right.pack(nines.floats(), {32, 2, {0}, 1}, {96, 6, {0}, 32}, format, pool);  // fills all blocks
    expect_panels(right, format, 32, 96, [](auto, auto) { return 9.0F; });
    right.pack(m.weight.floats(), m.input_rows, m.gates, format, pool);
    expect_panels(right, format, 32, 96, [&](std::int64_t k, std::int64_t n) { return m.at(n, k); });
  }
}

TEST(RightMatrix, SomePanelsApart) {
  const Matrix m;
  for (const Format format : formats()) {
    const Buffer b = read(m.forward(format), 32, {1, 3, 2}, format);
    for (std::int64_t p = 0; p < 3; ++p)
      for (std::int64_t k = 0; k < 32; ++k)
        for (std::int64_t j = 0; j < W; ++j)
          ASSERT_EQ(b.floats()[(p * 32 + k) * W + j], rounded(format, m.at((1 + 2 * p) * W + j, k)));
  }
}

TEST(LeftMatrix, RowsAndBlocksAsTheyWereUpdated) {
  constexpr std::int64_t blocks = 4, rows = 7, stride = (rows + 2) * W;
  for (const Format format : formats()) {
    Buffer floats = test::random_floats(blocks * stride, 1);
    LeftMatrix left;
    left.bind(format, floats.floats(), stride, blocks, rows);
    const auto change = [&](std::int64_t block, std::int64_t row) {
      for (std::int64_t j = 0; j < W; ++j) floats.floats()[block * stride + row * W + j] += 1;
    };
    const auto expect = [&](std::int64_t first, std::int64_t count, std::int64_t first_block) {
      const std::int64_t width = (blocks - first_block) * W;
      Buffer out = test::filled(width * count, 9);
      multiply(left.rows(first, count, first_block), identity(width, format), {0, width / W},
               {out.floats(), count * W});
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int64_t k = 0; k < width; ++k)
          ASSERT_EQ(out.floats()[(k / W * count + i) * W + k % W],
                    rounded(format, floats.floats()[(first_block + k / W) * stride + (first + i) * W + k % W]))
              << "row " << first + i << ", column " << k << " from block " << first_block;
    };
    left.update_rows(0, rows);
    expect(0, rows, 0);
    for (std::int64_t block = 0; block < blocks; ++block) change(block, 3), change(block, 4);
    left.update_rows(3, 2);
    expect(0, rows, 0);
    for (std::int64_t row = 0; row < rows; ++row) change(2, row), change(3, row);
    left.update_blocks(2, 2);
    expect(0, rows, 0);
    expect(2, 4, 0);
    expect(1, 3, 2);
  }
}

TEST(LeftMatrix, ProductsAddToWhatIsThere) {
  const Buffer rows = test::random_floats(2 * 3 * W, 1);
  Buffer out = test::filled(2 * 3 * W, 5);
  multiply(float_rows(rows.floats(), 3 * W, 3), identity(32, Format::f32), {0, 2}, {out.floats(), 3 * W, true});
  for (std::int64_t i = 0; i < out.size(); ++i) EXPECT_EQ(out.floats()[i], 5 + rows.floats()[i]);
}

TEST(RowMatrix, SumsOverRows) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr std::int64_t a_blocks = 2, b_blocks = 3, b_first = 64;
  for (const Format format : formats())
    for (const std::int64_t rows : {1, 32, 45, 200}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(format)) + ": " + std::to_string(rows) + " rows");
      const Buffer a_floats = test::random_floats(a_blocks * rows * W, 1);
      const Buffer b_floats = test::random_floats(b_blocks * rows * W, 2);
      RowMatrix a, b;
      a.reserve(format, a_blocks, rows);
      b.reserve(format, b_blocks, b_first + rows);
      for (std::int64_t p = 0; p < a_blocks; ++p)
        a.write(p, 0, rows, [&](float* out) { std::copy_n(a_floats.floats() + p * rows * W, rows * W, out); });
      for (std::int64_t p = 0; p < b_blocks; ++p) {
        b.write(p, 0, b_first, [&](float* out) { std::fill_n(out, b_first * W, nan); });  // not asked for
        for (std::int64_t begin = 0; begin < rows; begin += 96) {
          const std::int64_t count = std::min<std::int64_t>(96, rows - begin);
          b.write(p, b_first + begin, count,
                  [&](float* out) { std::copy_n(b_floats.floats() + (p * rows + begin) * W, count * W, out); });
        }
      }
      const Buffer before = test::random_floats(b_blocks * a_blocks * W * W, 3);
      for (const bool accumulate : {false, true}) {
        Buffer c = before;
        multiply_transposed(a, a_blocks, b, b_blocks, b_first, rows, {c.floats(), a_blocks * W * W, accumulate});
        for (std::int64_t i = 0; i < a_blocks * W; ++i)
          for (std::int64_t n = 0; n < b_blocks * W; ++n) {
            const std::int64_t at = (n / W * a_blocks * W + i) * W + n % W;
            double sum = accumulate ? before.floats()[at] : 0, size = std::abs(sum);
            for (std::int64_t r = 0; r < rows; ++r) {
              const double product =
                  static_cast<double>(rounded(format, a_floats.floats()[(i / W * rows + r) * W + i % W])) *
                  static_cast<double>(rounded(format, b_floats.floats()[(n / W * rows + r) * W + n % W]));
              sum += product, size += std::abs(product);
            }
            ASSERT_NEAR(c.floats()[at], sum, 1e-6 * size) << "row " << i << ", column " << n;
          }
      }
    }
}

}  // namespace
}  // namespace charnn
