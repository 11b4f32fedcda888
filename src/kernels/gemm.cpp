#include "kernels/gemm.h"

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

using Tag = hn::CappedTag<float, block_columns>;
using Vec = hn::Vec<Tag>;
constexpr int lanes = static_cast<int>(hn::MaxLanes(Tag()));
constexpr int panel_vectors = static_cast<int>(block_columns) / lanes;
// As many sums as fit the registers (32 with AVX-512, else 16) beside a row of B.
constexpr int max_rows = panel_vectors <= 2 ? 6 : 2;
constexpr int max_panels = panel_vectors == 1 ? 4 : 1;

/// Part of a product: k in [k_begin, k_end).
struct Slice {
  const Gemm& gemm;
  std::int64_t k_begin;
  std::int64_t k_end;
  bool accumulate;
  const float* next;  ///< memory to bring near meanwhile, as many rows of B as the slice has; null: none
};

/// Rows [0, Rows) and panels [0, Panels) of C.
template <int Rows, int Panels, bool Transposed>
void tile(const Slice& s, const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, float* HWY_RESTRICT c) {
  const Gemm& g = s.gemm;
  constexpr Tag d;
  constexpr int Vectors = Panels * panel_vectors;
  const auto offset = [&](std::int64_t v) { return v / panel_vectors * g.c_panel + v % panel_vectors * lanes; };
  Vec sum[Rows][Vectors];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v)
      sum[i][v] = s.accumulate ? hn::LoadU(d, c + i * g.c_row + offset(v)) : hn::Zero(d);
  const float* panel[Panels];
#pragma GCC unroll 8
  for (int p = 0; p < Panels; ++p) panel[p] = b + p * g.b_panel;
  for (std::int64_t k0 = s.k_begin; k0 < s.k_end; k0 += block_columns) {
    const float* column = Transposed ? a + k0 * block_columns : a + k0 / block_columns * g.a_block;
    const std::int64_t steps = HWY_MIN(block_columns, s.k_end - k0);
    if (s.next)
      for (std::int64_t k = 0; k < steps; ++k) __builtin_prefetch(s.next + (k0 - s.k_begin + k) * block_columns, 0, 2);
    for (std::int64_t k = 0; k < steps; ++k) {
      Vec row[Vectors];
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v)
        row[v] = hn::Load(d, panel[v / panel_vectors] + (k0 + k) * block_columns + v % panel_vectors * lanes);
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i) {
        const Vec factor = hn::Set(d, Transposed ? column[k * block_columns + i] : column[i * block_columns + k]);
#pragma GCC unroll 8
        for (int v = 0; v < Vectors; ++v) sum[i][v] = hn::MulAdd(factor, row[v], sum[i][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) hn::StoreU(sum[i][v], d, c + i * g.c_row + offset(v));
}

/// Calls tile() with the numbers of rows and panels as constants.
template <int Rows, int Panels>
void tile_of(const Slice& s, std::int64_t rows, std::int64_t panels, const float* a, const float* b, float* c) {
  if constexpr (Rows > 1)
    if (rows < Rows) return tile_of<Rows - 1, Panels>(s, rows, panels, a, b, c);
  if constexpr (Panels > 1)
    if (panels < Panels) return tile_of<Rows, Panels - 1>(s, rows, panels, a, b, c);
  if (s.gemm.a_transposed)
    tile<Rows, Panels, true>(s, a, b, c);
  else
    tile<Rows, Panels, false>(s, a, b, c);
}

/// All rows of C, `panels` of its panels beginning with panel p.
void multiply_slice(Slice s, std::int64_t p, std::int64_t panels, const float* next) {
  const Gemm& g = s.gemm;
  const float* a = static_cast<const float*>(g.a);
  const float* b = static_cast<const float*>(g.b) + p * g.b_panel;
  // Tiles of even height; a transposed A has its rows in blocks of 16, which no tile may cross.
  const std::int64_t stretch = g.a_transposed ? block_columns : g.m;
  for (std::int64_t begin = 0; begin < g.m; begin += stretch) {
    const std::int64_t height = HWY_MIN(stretch, g.m - begin);
    const std::int64_t tiles = (height + max_rows - 1) / max_rows;
    std::int64_t i = begin;
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int64_t rows = height / tiles + (t < height % tiles ? 1 : 0);
      const float* a_tile =
          g.a_transposed ? a + begin / block_columns * g.a_block + (i - begin) : a + i * block_columns;
      s.next = next && t < panels ? next + t * g.b_panel : nullptr;
      tile_of<max_rows, max_panels>(s, rows, panels, a_tile, b, g.c + p * g.c_panel + i * g.c_row);
      i += rows;
    }
  }
}

void Multiply(const Gemm& g) {
  // A slice of B of this many rows and max_panels panels stays in the first-level cache while all rows of A pass.
  constexpr std::int64_t k_block = 128;
  // A B that does not fit the second-level cache is fetched a slice ahead (10 % faster at 32 x 512 x 2048).
  const bool fetch_ahead = g.k * g.panels * block_columns > (1 << 18);
  const float* b = static_cast<const float*>(g.b);
  for (std::int64_t p = 0; p < g.panels; p += max_panels) {
    const std::int64_t panels = HWY_MIN(max_panels, g.panels - p);
    for (std::int64_t k = 0; k < g.k; k += k_block) {
      const std::int64_t k_end = HWY_MIN(k + k_block, g.k);
      const float* next = k_end < g.k                 ? b + p * g.b_panel + k_end * block_columns
                          : p + max_panels < g.panels ? b + (p + max_panels) * g.b_panel
                                                      : b;
      multiply_slice({g, k, k_end, g.accumulate || k > 0, nullptr}, p, panels, fetch_ahead ? next : nullptr);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace charnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charnn {

HWY_EXPORT(Multiply);

void gemm_f32(const Gemm& gemm) { HWY_DYNAMIC_DISPATCH(Multiply)(gemm); }

}  // namespace charnn
#endif
