#include "kernels/elementwise.h"
#include <cmath>
#include <limits>
#include <gtest/gtest.h>
#include "kernels/gemm.h"
#include "tests/kernels/arrays.h"
#include "tests/kernels/targets.h"

namespace charnn {
namespace {

using test::random_floats;
using test::same_bytes;

constexpr std::int64_t W = block_width;
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Rows of logits of 37 symbols, the last with numbers as large as 1e4. Rows 1 and 4 do not count.
struct Rows {
  static constexpr std::int64_t rows = 7, V = 37, panels = 3, panel = (rows + 2) * W;

  Rows() : logits(random_floats(panels * panel, 1, -9, 9)) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t v = V; v < panels * W; ++v) at(r, v) = -1e30F;
    at(6, 20) = 1e4F;
    at(6, 21) = -1e4F;
  }

  float& at(std::int64_t r, std::int64_t v) { return logits.floats()[v / W * panel + r * W + v % W]; }
  void run(float scale) { cross_entropy({rows, panels, logits.floats(), panel, targets, nats, scale}); }

  Buffer logits;
  std::int64_t targets[rows] = {0, -1, 36, 15, -7, 16, 21};
  float nats[rows] = {9, 9, 9, 9, 9, 9, 9};
};

class Elementwise : public test::EachTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, Elementwise, testing::ValuesIn(test::targets()), Elementwise::name);

TEST_P(Elementwise, CrossEntropyValuesAndGradients) {
  Rows before, value_only, x;
  constexpr float scale = 0.25F;
  value_only.run(0);
  x.run(scale);
  EXPECT_TRUE(same_bytes(value_only.logits, before.logits));
  for (std::int64_t r = 0; r < Rows::rows; ++r) {
    const std::int64_t target = x.targets[r];
    double largest = -1e30, sum = 0;
    for (std::int64_t v = 0; v < Rows::V; ++v) largest = std::max(largest, static_cast<double>(before.at(r, v)));
    for (std::int64_t v = 0; v < Rows::V; ++v) sum += std::exp(before.at(r, v) - largest);
    const double nats = target < 0 ? 0 : std::log(sum) + largest - before.at(r, target);
    EXPECT_NEAR(x.nats[r], nats, 2e-6 + 1e-6 * nats) << r;
    EXPECT_EQ(x.nats[r], value_only.nats[r]) << r;
    for (std::int64_t v = 0; v < Rows::panels * W; ++v) {
      const double p = v < Rows::V ? std::exp(before.at(r, v) - largest) / sum : 0;
      const double gradient = target < 0 ? 0 : scale * (p - (v == target ? 1 : 0));
      EXPECT_NEAR(x.at(r, v), gradient, 2e-7) << r << " " << v;
    }
  }
  for (std::int64_t p = 0; p < Rows::panels; ++p)
    for (std::int64_t r = Rows::rows; r < Rows::panel / W; ++r)
      EXPECT_EQ(x.at(r, p * W), before.at(r, p * W)) << "written behind the last row";
}

TEST_P(Elementwise, CrossEntropyNanAndInfinityGiveNan) {
  for (const float bad : {nan, -nan, std::numeric_limits<float>::infinity()})
    for (std::int64_t v = 0; v < Rows::V; ++v)
      for (const float scale : {0.0F, 1.0F}) {
        Rows x;
        x.at(3, v) = bad;
        x.run(scale);
        for (std::int64_t r = 0; r < Rows::rows; ++r) EXPECT_EQ(std::isnan(x.nats[r]), r == 3) << bad << " at " << v;
        EXPECT_EQ(std::isnan(x.at(3, v)), scale != 0 || std::isnan(bad)) << bad << " at " << v;
      }
}

TEST_P(Elementwise, AdamStepMatchesTheFormulas) {
  const AdamStep step{.lr_over_correction1 = 0.02F,
                      .correction2 = 0.3F,
                      .beta1_rest = 0.1F,
                      .beta2 = 0.99F,
                      .beta2_rest = 0.01F,
                      .eps = 1e-3F,
                      .l2_penalty = 0.05F,
                      .scale = 0.5F,
                      .keep = 0.875F};
  for (const std::int64_t n : {1, 15, 16, 1000}) {
    const Buffer weight = random_floats(n + 2, 1), gradient = random_floats(n + 2, 2), m = random_floats(n + 2, 3),
                 v = random_floats(n + 2, 4, 0, 1);
    Buffer weight_after = weight, m_after = m, v_after = v;
    // One float off alignment.
    adam_step(step, weight_after.floats() + 1, gradient.floats() + 1, m_after.floats() + 1, v_after.floats() + 1, n);
    for (std::int64_t j = 0; j < n + 2; ++j) {
      double w = weight.floats()[j], first = m.floats()[j], second = v.floats()[j];
      if (j > 0 && j <= n) {
        const double g = 0.5 * gradient.floats()[j] + 0.05 * w;
        first = 0.9 * first + 0.1 * g;
        second = 0.99 * second + 0.01 * g * g;
        w = 0.875 * w - 0.02 * first / (std::sqrt(second) / 0.3 + 1e-3);
      }
      EXPECT_NEAR(weight_after.floats()[j], w, 5e-7) << n << " " << j;
      EXPECT_NEAR(m_after.floats()[j], first, 3e-7) << n << " " << j;
      EXPECT_NEAR(v_after.floats()[j], second, 3e-7) << n << " " << j;
    }
  }
}

TEST_P(Elementwise, SumOfSquaresAnySizeAndAlignment) {
  const Buffer x = random_floats(100003, 5, -3, 3);
  for (const std::int64_t n : {0, 1, 15, 16, 17, 5000, 100000}) {
    double expected = 0;
    for (std::int64_t j = 0; j < n; ++j) expected += std::pow(static_cast<double>(x.floats()[3 + j]), 2);
    EXPECT_NEAR(sum_of_squares(x.floats() + 3, n), expected, 1e-6 * expected) << n;
  }
}

TEST_P(Elementwise, DropoutKeepsItsShareAndScales) {
  constexpr std::int64_t n = 1 << 16;
  const Buffer x = random_floats(n, 6, 1, 2);
  for (const double p : {0.0, 0.1, 0.5, 0.9}) {
    Buffer out = x;
    dropout(out.floats(), out.floats(), n, p, 0x123456789abcdefU, 48);
    std::int64_t kept = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      if (out.floats()[j] == 0) continue;
      ++kept;
      ASSERT_NEAR(out.floats()[j], x.floats()[j] / (1 - p), 1e-6 / (1 - p));
    }
    EXPECT_NEAR(static_cast<double>(kept), n * (1 - p), 4 * std::sqrt(n * p * (1 - p)));
  }
}

TEST_P(Elementwise, DropoutDependsOnSeedAndIndexOnly) {
  constexpr std::int64_t n = 4096;
  const Buffer ones = test::filled(n, 1);
  const auto mask = [&](std::uint64_t seed, std::uint32_t first) {
    Buffer out = ones;
    dropout(ones.floats(), out.floats(), n, 0.5, seed, first);
    return out;
  };
  const Buffer whole = mask(7, 32);
  Buffer parts = ones;
  for (std::int64_t begin = 0, size = 16; begin < n; begin += size, size = std::min(size + 16, n - begin))
    dropout(ones.floats() + begin, parts.floats() + begin, size, 0.5, 7, static_cast<std::uint32_t>(32 + begin));
  EXPECT_TRUE(same_bytes(whole, parts));
  Buffer odd = ones;  // any number of them, and off alignment
  dropout(ones.floats() + 3, odd.floats() + 3, 37, 0.5, 7, 32 + 3);
  EXPECT_TRUE(std::equal(odd.floats() + 3, odd.floats() + 40, whole.floats() + 3));
  EXPECT_EQ(odd.floats()[2] + odd.floats()[40], 2);
  // Another seed, in either half of its bits, or other indices: half of the choices differ.
  for (const Buffer& other : {mask(8, 32), mask(7 + (1ULL << 32), 32), mask(7, 32 + n)}) {
    std::int64_t different = 0;
    for (std::int64_t j = 0; j < n; ++j) different += whole.floats()[j] != other.floats()[j];
    EXPECT_NEAR(static_cast<double>(different), 0.5 * n, 4 * std::sqrt(n) / 2);
  }
}

TEST_P(Elementwise, ExpOfAnySizeAndAlignment) {
  const Buffer x = random_floats(1003, 7, -60, 20);
  for (const std::int64_t n : {0, 1, 15, 16, 17, 1000}) {
    Buffer out = test::filled(1003, 5);
    exp_of(x.floats() + 3, 20, 0.75F, out.floats() + 1, n);
    for (std::int64_t j = 0; j < n; ++j) {
      const float exponent = (x.floats()[3 + j] - 20) * 0.75F;
      const double expected = std::exp(static_cast<double>(exponent));
      EXPECT_NEAR(out.floats()[1 + j], expected, 2e-7 * expected) << exponent;
    }
    EXPECT_EQ(out.floats()[0], 5);
    EXPECT_EQ(out.floats()[1 + n], 5);
  }
}

TEST_P(Elementwise, RowsFillGatherScatterSum) {
  constexpr std::int64_t rows = 9, symbols = 4;
  const Buffer table = random_floats(symbols * W, 8), x = random_floats(rows * W, 9);
  const std::int32_t index[rows] = {3, 0, 0, 2, 3, 3, 0, 2, 0};
  Buffer filled = x, gathered = x, scattered = table, sums = table;
  fill_rows(table.floats() + W, filled.floats(), rows);
  gather_rows(table.floats(), index, gathered.floats(), rows);
  scatter_rows(x.floats(), index, scattered.floats(), rows);
  sum_rows(x.floats(), sums.floats(), rows);
  for (std::int64_t j = 0; j < W; ++j) {
    double by_symbol[symbols] = {}, sum = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      EXPECT_EQ(filled.floats()[r * W + j], table.floats()[W + j]);
      EXPECT_EQ(gathered.floats()[r * W + j], table.floats()[index[r] * W + j]);
      by_symbol[index[r]] += x.floats()[r * W + j];
      sum += x.floats()[r * W + j];
    }
    for (std::int64_t s = 0; s < symbols; ++s)
      EXPECT_NEAR(scattered.floats()[s * W + j], table.floats()[s * W + j] + by_symbol[s], 1e-6);
    EXPECT_NEAR(sums.floats()[j], table.floats()[j] + sum, 2e-6);
  }
}

}  // namespace
}  // namespace charnn
