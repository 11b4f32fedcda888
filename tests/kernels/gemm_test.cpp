// All ways to multiply against plain loops over the addresses that gemm.h promises.
#include "kernels/gemm.h"
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>
#include <gtest/gtest.h>
#include "tests/kernels/arrays.h"
#include "tests/kernels/product.h"
#include "tests/kernels/targets.h"

namespace charnn {
namespace {

using test::Product;
using test::random_floats;
using test::same_bytes;

constexpr std::int64_t W = block_width;

struct Way {
  std::string name;
  Format format;
  std::function<void(const Gemm&)> multiply;
};

/// With `all_kinds` not only those of Highway's targets.
std::vector<Way> ways(bool all_kinds) {
  std::vector<Way> all{{"f32", Format::f32, gemm_f32}};
  if (!all_kinds) return all;
  if (bf16_unit() != Bf16Unit::none) all.push_back({"avx512_bf16", Format::bf16, gemm_avx512_bf16});
  if (bf16_unit() == Bf16Unit::amx)
    for (const Format format : {Format::bf16, Format::bf16x3})
      all.push_back({format == Format::bf16 ? "amx" : "amx_x3", format, [=](const Gemm& g) { gemm_amx(g, format); }});
  return all;
}

void check(const Way& way, Product& product, bool accumulate, std::int64_t gap) {
  Gemm g = product.stored();
  const std::int64_t width = product.panels * W;
  g.c_panel = (product.m + gap) * W;
  Buffer c = random_floats(product.panels * g.c_panel + W, 3);
  const Buffer before = c;
  Buffer untouched = c;
  g.c = c.floats();
  g.accumulate = accumulate;
  way.multiply(g);
  for (std::int64_t i = 0; i < product.m; ++i)
    for (std::int64_t n = 0; n < width; ++n) {
      const std::int64_t at = n / W * g.c_panel + i * W + n % W;
      const auto [value, size] = product.expected(i, n, accumulate ? before.floats()[at] : 0);
      ASSERT_NEAR(c.floats()[at], value, 1e-6 * size) << "row " << i << ", column " << n;
      untouched.floats()[at] = c.floats()[at];
    }
  EXPECT_TRUE(same_bytes(c, untouched)) << "written beside C";
}

class GemmTest : public test::EachTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, GemmTest, testing::ValuesIn(test::targets()), GemmTest::name);

TEST_P(GemmTest, MatchesPlainLoops) {
  for (const Way& way : ways(best()))
    for (const std::int64_t m : {1, 5, 16, 17, 25, 33})
      for (const std::int64_t k : {1, 13, 32, 40, 96, 288})
        for (const std::int64_t panels : {1, 2, 3, 5})
          for (const bool transposed : {false, true}) {
            if (way.format != Format::f32 && k % 32 != 0) continue;
            SCOPED_TRACE(way.name + ": " + std::to_string(m) + " x " + std::to_string(k) + " x " +
                         std::to_string(panels) + (transposed ? " transposed" : ""));
            Product product(way.format, m, k, panels, transposed);
            check(way, product, /*accumulate=*/m % 2 == 0, /*gap=*/k % 3 == 0 ? 0 : 1);
            check(way, product, /*accumulate=*/m % 2 != 0, /*gap=*/panels == 3 ? 0 : 2);
          }
}

TEST(Bf16x3, IsAsExactAsFloat) {
  if (bf16_unit() != Bf16Unit::amx) GTEST_SKIP() << "this CPU has no AMX";
  for (const std::int64_t k : {32, 512}) {
    double error[2] = {0, 0};
    for (const Format format : {Format::f32, Format::bf16x3}) {
      Product product(format, 33, k, 3, false);
      Gemm g = product.stored();
      Buffer c;
      c.reserve(W * 33 * 3);
      g.c = c.floats(), g.c_panel = 33 * W;
      format == Format::f32 ? gemm_f32(g) : gemm_amx(g, format);
      for (std::int64_t i = 0; i < 33; ++i)
        for (std::int64_t n = 0; n < 3 * W; ++n)
          error[format == Format::bf16x3] =
              std::max(error[format == Format::bf16x3],
                       std::abs(c.floats()[n / W * g.c_panel + i * W + n % W] - product.expected(i, n, 0).first));
    }
    EXPECT_LT(error[1], 4 * error[0]) << "k " << k;
  }
}

TEST_P(GemmTest, SplittingChangesNoBit) {
  for (const Way& way : ways(best()))
    for (const bool transposed : {false, true}) {
      SCOPED_TRACE(way.name + (transposed ? " transposed" : ""));
      Product product(way.format, 25, 288, 3, transposed);
      Gemm g = product.stored();
      g.c_panel = 25 * W;
      Buffer whole = random_floats(W * 25 * 3, 3), parts = whole;
      g.accumulate = true;
      g.c = whole.floats();
      way.multiply(g);
      const std::int64_t first = transposed ? W : 12;  // a transposed A can be split between its blocks only
      const std::int64_t a_offset = transposed ? g.a_block : first * W;
      for (const std::int64_t row : {std::int64_t{0}, first})
        for (const std::int64_t panel : {0, 1}) {
          Gemm part = g;
          part.m = row == 0 ? first : 25 - first;
          part.panels = panel == 0 ? 1 : 2;
          part.a = product.a_stored.floats() + (row == 0 ? 0 : a_offset);
          part.b = product.b_stored.floats() + panel * g.b_panel;
          part.c = parts.floats() + panel * g.c_panel + row * W;
          way.multiply(part);
        }
      EXPECT_TRUE(same_bytes(whole, parts));
    }
}

TEST_P(GemmTest, NanIsPassedOn) {
  for (const Way& way : ways(best()))
    for (const bool transposed : {false, true})
      for (const std::uint32_t bits : {0x7fc00000U, 0x7fffffffU, 0xffffffffU, 0x7f800001U}) {
        SCOPED_TRACE(way.name + (transposed ? " transposed" : ""));
        Product product(way.format, 17, 32, 2, transposed);
        std::memcpy(&product.a_at(3, 5), &bits, sizeof bits);
        std::memcpy(&product.b_at(9, 20), &bits, sizeof bits);
        Gemm g = product.stored();
        Buffer c;
        c.reserve(W * 17 * 2);
        g.c = c.floats(), g.c_panel = 17 * W;
        way.multiply(g);
        for (std::int64_t i = 0; i < 17; ++i)
          for (std::int64_t n = 0; n < 2 * W; ++n)
            EXPECT_EQ(std::isnan(c.floats()[n / W * g.c_panel + i * W + n % W]), i == 3 || n == 20) << i << " " << n;
      }
}

}  // namespace
}  // namespace charnn
