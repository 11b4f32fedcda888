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
  for (const StreamFormat format : {StreamFormat::f32, StreamFormat::bf16, StreamFormat::int8})
    for (int panels = 1; panels <= 8; ++panels)
      for (const std::int64_t k : {0, 1, 19, 64}) {
        const std::int64_t width = panels * W;
        Buffer weights = random_floats(k * width, 1), stored = weights;
        const Buffer scales = random_floats(width, 2);
        auto* half = reinterpret_cast<std::uint16_t*>(stored.floats());
        auto* byte = reinterpret_cast<std::int8_t*>(stored.floats());
        for (std::int64_t i = 0; i < k * width; ++i) {
          float& weight = weights.floats()[i];
          if (format == StreamFormat::bf16) {
            weight = test::as_bf16(weight);
            half[i] = static_cast<std::uint16_t>(weights.pairs()[i] >> 16);
          } else if (format == StreamFormat::int8) {
            byte[i] = static_cast<std::int8_t>(weight * 127);
            weight = static_cast<float>(byte[i]) * scales.floats()[i % width];
          }
        }
        const Buffer x = random_floats(k, 3);
        Buffer sums = random_floats(W * 2 * 8, 4);
        const Buffer before = sums;
        Gemv g{stored.floats(), format, scales.floats(), x.floats(), k, panels, {}};
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
          ASSERT_NEAR(sums.floats()[i], expected, 1e-6 * size)
              << static_cast<int>(format) << " " << panels << " " << k << ", sum " << i;
        }
      }
}

}  // namespace
}  // namespace charnn
