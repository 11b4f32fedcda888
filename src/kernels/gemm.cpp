#include "kernels/gemm.h"
#include "kernels/gemm_tiles.h"
#include "kernels/highway.h"

// Compiled once for every instruction set that Highway knows; the best that the CPU has is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm.cpp"
// clang-format off
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace charnn {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, block_width>;
using Vec = hn::Vec<Tag>;
constexpr int lanes = static_cast<int>(hn::MaxLanes(Tag()));
constexpr int panel_vectors = static_cast<int>(block_width) / lanes;
// As many sums as fit the registers (32 with AVX-512 and on ARM, else 16) beside a row of B.
constexpr int max_rows = panel_vectors <= 2 || HWY_ARCH_ARM_A64 ? 6 : 2;
constexpr int max_panels = panel_vectors == 1 ? 4 : 1;

/// Rows [0, Rows) and panels [0, Panels) of C.
struct FloatTile {
  template <int Rows, int Panels, bool Transposed>
  static void run(const Tile<float>& t) {
    const Gemm& g = t.gemm;
    constexpr Tag d;
    constexpr int Vectors = Panels * panel_vectors;
    const auto offset = [&](std::int64_t v) { return v / panel_vectors * g.c_panel + v % panel_vectors * lanes; };
    const float* HWY_RESTRICT a = t.a;
    float* HWY_RESTRICT c = t.c;
    Vec sum[Rows][Vectors];
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v)
        sum[i][v] = t.accumulate ? hn::LoadU(d, c + i * block_width + offset(v)) : hn::Zero(d);
    const float* panel[Panels];
#pragma GCC unroll 8
    for (int p = 0; p < Panels; ++p) panel[p] = t.b + p * g.b_panel;
    for (std::int64_t k0 = t.k_begin; k0 < t.k_end; k0 += block_width) {
      const float* column = Transposed ? a + k0 * block_width : a + k0 / block_width * g.a_block;
      const std::int64_t steps = HWY_MIN(block_width, t.k_end - k0);
      if (t.next)
        for (std::int64_t k = 0; k < steps; ++k) __builtin_prefetch(t.next + (k0 - t.k_begin + k) * block_width, 0, 2);
      for (std::int64_t k = 0; k < steps; ++k) {
        Vec row[Vectors];
#pragma GCC unroll 8
        for (int v = 0; v < Vectors; ++v)
          row[v] = hn::Load(d, panel[v / panel_vectors] + (k0 + k) * block_width + v % panel_vectors * lanes);
#pragma GCC unroll 8
        for (int i = 0; i < Rows; ++i) {
          const Vec factor = hn::Set(d, Transposed ? column[k * block_width + i] : column[i * block_width + k]);
#pragma GCC unroll 8
          for (int v = 0; v < Vectors; ++v) sum[i][v] = hn::MulAdd(factor, row[v], sum[i][v]);
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) hn::StoreU(sum[i][v], d, c + i * block_width + offset(v));
  }
};

void Multiply(const Gemm& g) { multiply_in_tiles<FloatTile, max_rows, max_panels, float>(g); }

// --- a vector by a matrix ---

// As many sums as fit the registers.
constexpr int gemv_panels = panel_vectors == 1 ? 8 : panel_vectors == 2 || HWY_ARCH_ARM_A64 ? 4 : 1;

HWY_INLINE Vec load(const float* weights) { return hn::Load(Tag(), weights); }
HWY_INLINE Vec load(const hwy::bfloat16_t* weights) {
  return hn::PromoteTo(Tag(), hn::Load(hn::Rebind<hwy::bfloat16_t, Tag>(), weights));
}

HWY_INLINE Vec load(const std::int8_t* weights) {
  const hn::Rebind<std::int32_t, Tag> whole;
  return hn::ConvertTo(Tag(), hn::PromoteTo(whole, hn::Load(hn::Rebind<std::int8_t, Tag>(), weights)));
}

template <int Panels, class Weight>
void sum_panels(const Gemv& g, const Weight* HWY_RESTRICT weights, int first) {
  constexpr Tag d;
  constexpr int Vectors = Panels * panel_vectors;
  const auto sums = [&](std::int64_t v) { return g.sums[first + v / panel_vectors] + v % panel_vectors * lanes; };
  Vec sum[Vectors];
  constexpr bool bytes = sizeof(Weight) == 1;
#pragma GCC unroll 16
  for (int v = 0; v < Vectors; ++v) sum[v] = bytes ? hn::Zero(d) : hn::Load(d, sums(v));
  const std::int64_t row = g.panels * block_width;
  weights += first * block_width;
  for (std::int64_t k = 0; k < g.k; ++k, weights += row) {
    const Vec x = hn::Set(d, g.x[k]);
#pragma GCC unroll 16
    for (int v = 0; v < Vectors; ++v) sum[v] = hn::MulAdd(x, load(weights + v * lanes), sum[v]);
  }
#pragma GCC unroll 16
  for (int v = 0; v < Vectors; ++v) {
    if constexpr (bytes)
      sum[v] = hn::MulAdd(hn::Load(d, g.scales + first * block_width + v * lanes), sum[v], hn::Load(d, sums(v)));
    hn::Store(sum[v], d, sums(v));
  }
}

template <int Panels, class Weight>
void sum_panels_of(const Gemv& g, const Weight* weights, int first, int panels) {
  if constexpr (Panels > 1)
    if (panels < Panels) return sum_panels_of<Panels - 1>(g, weights, first, panels);
  sum_panels<Panels>(g, weights, first);
}

void MultiplyVector(const Gemv& g) {
  for (int p = 0; p < g.panels; p += gemv_panels) {
    const int panels = HWY_MIN(gemv_panels, g.panels - p);
    if (g.format == StreamFormat::int8)
      sum_panels_of<gemv_panels>(g, static_cast<const std::int8_t*>(g.weights), p, panels);
    else if (g.format == StreamFormat::bf16)
      sum_panels_of<gemv_panels>(g, static_cast<const hwy::bfloat16_t*>(g.weights), p, panels);
    else
      sum_panels_of<gemv_panels>(g, static_cast<const float*>(g.weights), p, panels);
  }
}
}  // namespace HWY_NAMESPACE
}  // namespace charnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charnn {
HWY_EXPORT(Multiply);
HWY_EXPORT(MultiplyVector);

void gemm_f32(const Gemm& gemm) { HWY_DYNAMIC_DISPATCH(Multiply)(gemm); }
void gemv(const Gemv& gemv) { HWY_DYNAMIC_DISPATCH(MultiplyVector)(gemv); }
}  // namespace charnn
#endif
