#include "kernels/cpu.h"
#include <string_view>
#include <gtest/gtest.h>
#include "kernels/elementwise.h"
#include "tests/kernels/product.h"

namespace charnn::test {
namespace {
TEST(Cpu, MultipliesAtEveryLevel) {
  Product product(Format::f32, 3, 20, 1, false);
  for (const char* level : cpu_levels) {
    SCOPED_TRACE(level);
    ASSERT_TRUE(limit_cpu(level));
    Gemm g = product.stored();
    Buffer c = filled(g.m * block_width, 0);
    g.c = c.floats();
    gemm_f32(g);
    const auto [sum, size] = product.expected(2, 15, 0);
    EXPECT_NEAR(c.floats()[2 * block_width + 15], sum, 1e-6 * size);
    EXPECT_TRUE(level != std::string_view("avx512") || bf16_unit() == Bf16Unit::none);
  }
#ifdef __x86_64__                                   // on ARM there is NEON at every level
  const std::string_view last = instruction_set();  // plain: what Highway calls it depends on the compiler
  EXPECT_TRUE(last == "EMU128" || last == "SCALAR") << last;
#endif
  EXPECT_FALSE(limit_cpu("avx3"));
  limit_cpu(cpu_levels[0]);
}
}  // namespace
}  // namespace charnn::test
