#include "kernels/gemv.h"

#include "kernels/gemm.h"

// Compiled once for every instruction set that Highway knows; the best that the CPU has is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemv.cpp"
// clang-format off
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace charnn {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, block_columns>;
using Vec = hn::Vec<Tag>;
constexpr int lanes = static_cast<int>(hn::MaxLanes(Tag()));
constexpr int panel_vectors = static_cast<int>(block_columns) / lanes;
constexpr int max_panels = panel_vectors == 1 ? 8 : panel_vectors == 2 ? 4 : 1;  // as many sums as fit the registers

HWY_INLINE Vec load(const float* weights) { return hn::Load(Tag(), weights); }
HWY_INLINE Vec load(const hwy::bfloat16_t* weights) {
  return hn::PromoteTo(Tag(), hn::Load(hn::Rebind<hwy::bfloat16_t, Tag>(), weights));
}

template <int Panels, class Weight>
void sum_panels(const Gemv& g, const Weight* HWY_RESTRICT weights, int first) {
  constexpr Tag d;
  constexpr int Vectors = Panels * panel_vectors;
  const auto sums = [&](std::int64_t v) { return g.sums[first + v / panel_vectors] + v % panel_vectors * lanes; };
  Vec sum[Vectors];
#pragma GCC unroll 16
  for (int v = 0; v < Vectors; ++v) sum[v] = hn::Load(d, sums(v));
  const std::int64_t row = g.panels * block_columns;
  weights += first * block_columns;
  for (std::int64_t k = 0; k < g.k; ++k, weights += row) {
    const Vec x = hn::Set(d, g.x[k]);
#pragma GCC unroll 16
    for (int v = 0; v < Vectors; ++v) sum[v] = hn::MulAdd(x, load(weights + v * lanes), sum[v]);
  }
#pragma GCC unroll 16
  for (int v = 0; v < Vectors; ++v) hn::Store(sum[v], d, sums(v));
}

template <int Panels, class Weight>
void sum_panels_of(const Gemv& g, const Weight* weights, int first, int panels) {
  if constexpr (Panels > 1)
    if (panels < Panels) return sum_panels_of<Panels - 1>(g, weights, first, panels);
  sum_panels<Panels>(g, weights, first);
}

void MultiplyVector(const Gemv& g) {
  for (int p = 0; p < g.panels; p += max_panels) {
    const int panels = HWY_MIN(max_panels, g.panels - p);
    if (g.bf16)
      sum_panels_of<max_panels>(g, static_cast<const hwy::bfloat16_t*>(g.weights), p, panels);
    else
      sum_panels_of<max_panels>(g, static_cast<const float*>(g.weights), p, panels);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace charnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charnn {

HWY_EXPORT(MultiplyVector);

void gemv(const Gemv& gemv) { HWY_DYNAMIC_DISPATCH(MultiplyVector)(gemv); }

}  // namespace charnn
#endif
