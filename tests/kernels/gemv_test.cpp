#include <cmath>
#include <gtest/gtest.h>
#include "kernels/gemm.h"
#include "tests/kernels/arrays.h"
#include "tests/kernels/targets.h"

namespace charnn {
namespace {

using test::random_floats;

constexpr std::int64_t W = block_width;

class GemvTest : public test::EachTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, GemvTest, testing::ValuesIn(test::targets()), GemvTest::name);

TEST_P(GemvTest, MatchesPlainLoops) {
  for (const bool bf16 : {false, true})
    for (int panels = 1; panels <= 8; ++panels)
      for (const std::int64_t k : {0, 1, 19, 64}) {
        const std::int64_t width = panels * W;
        Buffer weights = random_floats(k * width, 1), halves = random_floats(k * width, 2);
        auto* half = reinterpret_cast<std::uint16_t*>(halves.floats());
        for (std::int64_t i = 0; bf16 && i < k * width; ++i) {
          weights.floats()[i] = test::as_bf16(weights.floats()[i]);
          half[i] = static_cast<std::uint16_t>(weights.pairs()[i] >> 16);
        }
        const Buffer x = random_floats(k, 3);
        Buffer sums = random_floats(W * 2 * 8, 4);
        const Buffer before = sums;
        Gemv g{bf16 ? halves.floats() : weights.floats(), bf16, x.floats(), k, panels, {}};
        for (int p = 0; p < panels; ++p) g.sums[p] = sums.floats() + W * 2 * (7 - p);  // in any order, gaps between
        gemv(g);
        for (std::int64_t i = 0; i < sums.size(); ++i) {
          double expected = before.floats()[i], size = std::abs(expected);
          const std::int64_t row = i / W, p = 7 - row / 2;
          for (std::int64_t l = 0; row % 2 == 0 && p < panels && l < k; ++l) {
            const double product = static_cast<double>(x.floats()[l]) * weights.floats()[l * width + p * W + i % W];
            expected += product;
            size += std::abs(product);
          }
          ASSERT_NEAR(sums.floats()[i], expected, 1e-6 * size) << bf16 << " " << panels << " " << k << ", sum " << i;
        }
      }
}

}  // namespace
}  // namespace charnn
