// Conversion to pairs of bfloat16: where each number lies, and how it is rounded.
#include <cmath>
#include <gtest/gtest.h>
#include "kernels/gemm.h"
#include "tests/kernels/arrays.h"

namespace charnn {
namespace {

constexpr std::int64_t W = block_width;
constexpr std::int64_t rows = 6, blocks = 4, n = blocks * rows * W;

class Pairs : public testing::Test {
 protected:
  void SetUp() override {
    if (bf16_unit() == Bf16Unit::none) GTEST_SKIP() << "this CPU cannot multiply bf16";
  }
};

/// Numbers of many sizes; some lie half-way between two bfloat16.
Buffer numbers() {
  Buffer x = test::random_floats(n, 4);
  for (std::int64_t i = 0; i < n; ++i) x.floats()[i] = std::ldexp(x.floats()[i], static_cast<int>(i % 121) - 60);
  for (std::int64_t i = 0; i < n; i += 3) {
    std::uint32_t bits = x.pairs()[i];
    x.pairs()[i] = (bits & 0xffff0000U) | 0x8000U;
  }
  x.floats()[7] = 0;
  x.floats()[8] = -0.0F;
  return x;
}

float part_of(std::uint32_t pair, bool upper) { return std::bit_cast<float>(upper ? pair & 0xffff0000U : pair << 16); }

/// Calls each(index of a float, the same in a plane of pairs, if it is the upper half) for to_pairs() and pair_rows().
template <class Each>
void for_row_pairs(Each each) {
  for (std::int64_t b = 0; b < blocks; ++b)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = 0; j < W; ++j) {
        const std::int64_t k = b * W + j;
        each((b * rows + r) * W + j, (k / 2 / W * rows + r) * W + k / 2 % W, k % 2 == 1);
      }
}
template <class Each>
void for_column_pairs(Each each) {
  for (std::int64_t r = 0; r < blocks * rows; ++r)
    for (std::int64_t j = 0; j < W; ++j) each(r * W + j, r / 2 * W + j, r % 2 == 1);
}

TEST_F(Pairs, RoundToNearest) {
  const Buffer x = numbers();
  Buffer out;
  out.reserve(n / 2);
  const auto check = [&](std::int64_t from, std::int64_t to, bool upper) {
    const auto expected = test::as_bf16(x.floats()[from]);
    EXPECT_EQ(part_of(out.pairs()[to], upper), expected) << from;
  };
  to_pairs(Format::bf16, x.floats(), rows * W, out.pairs(), rows * W, 0, blocks, rows);
  for_row_pairs(check);
  pair_rows(Format::bf16, x.floats(), out.pairs(), 0, blocks * rows);
  for_column_pairs(check);
}

TEST_F(Pairs, ThreePartsAddUpExactly) {
  const Buffer x = numbers();
  constexpr std::int64_t plane = n / 2 + W;
  Buffer out;
  out.reserve(3 * plane);
  const auto check = [&](std::int64_t from, std::int64_t to, bool upper) {
    double sum = 0;
    for (std::int64_t q = 0; q < 3; ++q) sum += static_cast<double>(part_of(out.pairs()[q * plane + to], upper));
    EXPECT_EQ(sum, x.floats()[from]) << from;
    // The first part alone is the nearest bfloat16, or one of the two nearest.
    const float high = part_of(out.pairs()[to], upper);
    EXPECT_LE(std::abs(high - x.floats()[from]), std::abs(x.floats()[from]) / 256) << from;
  };
  to_pairs(Format::bf16x3, x.floats(), rows * W, out.pairs(), rows * W, plane, blocks, rows);
  for_row_pairs(check);
  pair_rows(Format::bf16x3, x.floats(), out.pairs(), plane, blocks * rows);
  for_column_pairs(check);
}

}  // namespace
}  // namespace charnn
