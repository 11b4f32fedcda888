#include "charnn/model/gemm_bf16.h"

#if defined(__x86_64__) && defined(__linux__)

#include <algorithm>
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace charnn {
namespace {

// Highway has no tiles, so the two kinds of bf16 products are written with the compiler's intrinsics.
#define CHARNN_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define CHARNN_AMX __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16,amx-tile,amx-bf16")))

Bf16Unit find_unit() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
    return Bf16Unit::none;
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || (a >> 5 & 1) == 0) return Bf16Unit::none;
  __get_cpuid_count(7, 0, &a, &b, &c, &d);
  const bool amx = (d >> 22 & 1) != 0 && (d >> 24 & 1) != 0;
  // Linux saves the tiles' registers only for processes that ask (arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA)).
  if (amx && ::syscall(SYS_arch_prctl, 0x1023, 18) == 0) return Bf16Unit::amx;
  return Bf16Unit::avx512_bf16;
}

// --- AVX-512 BF16: as gemm.cpp, with one instruction for two products ---

template <int Rows, int Panels, bool Transposed>
CHARNN_AVX512_BF16 void vector_tile(const Gemm& g, const std::uint32_t* a, const std::uint32_t* b, float* c,
                                    std::int64_t k_begin, std::int64_t k_end, bool accumulate) {
  __m512 sum[Rows][Panels];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
    for (int p = 0; p < Panels; ++p)
      sum[i][p] = accumulate ? _mm512_loadu_ps(c + i * g.c_row + p * g.c_panel) : _mm512_setzero_ps();
  for (std::int64_t k0 = k_begin; k0 < k_end; k0 += block_columns) {
    const std::uint32_t* column = Transposed ? a + k0 * block_columns : a + k0 / block_columns * g.a_block;
    for (std::int64_t k = 0; k < block_columns; ++k) {
      __m512bh row[Panels];
#pragma GCC unroll 4
      for (int p = 0; p < Panels; ++p)
        row[p] = (__m512bh)_mm512_load_si512(b + p * g.b_panel + (k0 + k) * block_columns);
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i) {
        const std::uint32_t pair = Transposed ? column[k * block_columns + i] : column[i * block_columns + k];
        const __m512bh factor = (__m512bh)_mm512_set1_epi32(static_cast<int>(pair));
#pragma GCC unroll 4
        for (int p = 0; p < Panels; ++p) sum[i][p] = _mm512_dpbf16_ps(sum[i][p], factor, row[p]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
    for (int p = 0; p < Panels; ++p) _mm512_storeu_ps(c + i * g.c_row + p * g.c_panel, sum[i][p]);
}

template <int Rows, int Panels, bool Transposed>
void vector_tile_of(const Gemm& g, std::int64_t rows, std::int64_t panels, const std::uint32_t* a,
                    const std::uint32_t* b, float* c, std::int64_t k_begin, std::int64_t k_end, bool accumulate) {
  if constexpr (Rows > 1)
    if (rows < Rows)
      return vector_tile_of<Rows - 1, Panels, Transposed>(g, rows, panels, a, b, c, k_begin, k_end, accumulate);
  if constexpr (Panels > 1)
    if (panels < Panels)
      return vector_tile_of<Rows, Panels - 1, Transposed>(g, rows, panels, a, b, c, k_begin, k_end, accumulate);
  vector_tile<Rows, Panels, Transposed>(g, a, b, c, k_begin, k_end, accumulate);
}

template <bool Transposed>
void multiply_vectors(const Gemm& g) {
  constexpr std::int64_t k_block = 128, max_rows = 6, max_panels = 4;
  const auto* a = static_cast<const std::uint32_t*>(g.a);
  const auto* b = static_cast<const std::uint32_t*>(g.b);
  const std::int64_t stretch = Transposed ? block_columns : g.m;
  for (std::int64_t p = 0; p < g.panels; p += max_panels)
    for (std::int64_t k = 0; k < g.k; k += k_block)
      for (std::int64_t begin = 0; begin < g.m; begin += stretch) {
        const std::int64_t height = std::min(stretch, g.m - begin), tiles = (height + max_rows - 1) / max_rows;
        for (std::int64_t t = 0, i = begin; t < tiles; ++t) {
          const std::int64_t rows = height / tiles + (t < height % tiles ? 1 : 0);
          vector_tile_of<max_rows, max_panels, Transposed>(
              g, rows, std::min(max_panels, g.panels - p),
              Transposed ? a + begin / block_columns * g.a_block + (i - begin) : a + i * block_columns,
              b + p * g.b_panel, g.c + p * g.c_panel + i * g.c_row, k, std::min(k + k_block, g.k),
              g.accumulate || k > 0);
          i += rows;
        }
      }
}

// --- AMX: tiles of 16 rows of 64 bytes ---

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};
  std::uint8_t rows[16] = {};
};

constexpr std::int64_t tile_elements = block_columns * block_columns;

/// out[i][k] = in[k][i], 16 x 16.
CHARNN_AMX void transpose(const std::uint32_t* in, std::uint32_t* out) {
  __m512i row[16], pair[16];
  for (int i = 0; i < 16; ++i) row[i] = _mm512_load_si512(in + 16 * i);
  for (int i = 0; i < 16; i += 2) {
    pair[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
    pair[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      row[i + 2 * j] = _mm512_unpacklo_epi64(pair[i + j], pair[i + j + 2]);
      row[i + 2 * j + 1] = _mm512_unpackhi_epi64(pair[i + j], pair[i + j + 2]);
    }
  // row[4 g + c] holds, in each quarter q, columns 4 q + c of rows 4 g .. 4 g + 3.
  for (int c = 0; c < 4; ++c) {
    const __m512i low02 = _mm512_shuffle_i32x4(row[c], row[4 + c], 0x88), low13 = _mm512_shuffle_i32x4(row[c], row[4 + c], 0xdd);
    const __m512i high02 = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0x88),
                  high13 = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0xdd);
    _mm512_store_si512(out + 16 * c, _mm512_shuffle_i32x4(low02, high02, 0x88));
    _mm512_store_si512(out + 16 * (4 + c), _mm512_shuffle_i32x4(low13, high13, 0x88));
    _mm512_store_si512(out + 16 * (8 + c), _mm512_shuffle_i32x4(low02, high02, 0xdd));
    _mm512_store_si512(out + 16 * (12 + c), _mm512_shuffle_i32x4(low13, high13, 0xdd));
  }
}

/// Tiles of C: 0 1 / 2 3; of A: 4, 5; of B: 6, 7. `a` and `b` hold whole tiles, a_step and b_step apart along k.
template <int RowTiles, int Panels>
CHARNN_AMX void tile_block(const Gemm& g, const std::uint32_t* a, std::ptrdiff_t a_row_tile, std::ptrdiff_t a_step,
                           const std::uint32_t* b, float* c) {
  const std::size_t c_stride = static_cast<std::size_t>(g.c_row) * sizeof(float);
  float* c10 = c + block_columns * g.c_row;
  if (g.accumulate) {
    _tile_loadd(0, c, c_stride);
    if constexpr (Panels > 1) _tile_loadd(1, c + g.c_panel, c_stride);
    if constexpr (RowTiles > 1) _tile_loadd(2, c10, c_stride);
    if constexpr (RowTiles > 1 && Panels > 1) _tile_loadd(3, c10 + g.c_panel, c_stride);
  } else {
    _tile_zero(0);
    if constexpr (Panels > 1) _tile_zero(1);
    if constexpr (RowTiles > 1) _tile_zero(2);
    if constexpr (RowTiles > 1 && Panels > 1) _tile_zero(3);
  }
  for (std::int64_t k = 0; k < g.k; k += block_columns, a += a_step, b += tile_elements) {
    _tile_loadd(6, b, 64);
    _tile_loadd(4, a, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (Panels > 1) {
      _tile_loadd(7, b + g.b_panel, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (RowTiles > 1) {
      _tile_loadd(5, a + a_row_tile, 64);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (Panels > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, c, c_stride);
  if constexpr (Panels > 1) _tile_stored(1, c + g.c_panel, c_stride);
  if constexpr (RowTiles > 1) _tile_stored(2, c10, c_stride);
  if constexpr (RowTiles > 1 && Panels > 1) _tile_stored(3, c10 + g.c_panel, c_stride);
}

/// Two row tiles (or one) of `rows` rows in all, over all panels.
CHARNN_AMX void multiply_row_tiles(const Gemm& g, const std::uint32_t* a, std::ptrdiff_t a_row_tile,
                                   std::ptrdiff_t a_step, float* c, std::int64_t rows) {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) {
    config.bytes[tile] = 64;
    config.rows[tile] = 16;
  }
  const bool two = rows > block_columns;
  const auto last_rows = static_cast<std::uint8_t>(two ? rows - block_columns : rows);
  for (const int tile : {two ? 2 : 0, two ? 3 : 1, two ? 5 : 4}) config.rows[tile] = last_rows;
  _tile_loadconfig(&config);
  const auto* b = static_cast<const std::uint32_t*>(g.b);
  std::int64_t p = 0;
  for (; p + 2 <= g.panels; p += 2)
    two ? tile_block<2, 2>(g, a, a_row_tile, a_step, b + p * g.b_panel, c + p * g.c_panel)
        : tile_block<1, 2>(g, a, a_row_tile, a_step, b + p * g.b_panel, c + p * g.c_panel);
  if (p < g.panels)
    two ? tile_block<2, 1>(g, a, a_row_tile, a_step, b + p * g.b_panel, c + p * g.c_panel)
        : tile_block<1, 1>(g, a, a_row_tile, a_step, b + p * g.b_panel, c + p * g.c_panel);
}

CHARNN_AMX void multiply_tiles(const Gemm& g) {
  const auto* a = static_cast<const std::uint32_t*>(g.a);
  for (std::int64_t i = 0; i < g.m; i += 2 * block_columns) {
    const std::int64_t rows = std::min(2 * block_columns, g.m - i);
    float* c = g.c + i * g.c_row;
    if (!g.a_transposed) {
      multiply_row_tiles(g, a + i * block_columns, tile_elements, g.a_block, c, rows);
      continue;
    }
    // Tiles want the rows of A along k.
    constexpr std::int64_t k_max = 128;
    alignas(64) std::uint32_t turned[2 * k_max * block_columns];
    for (std::int64_t k = 0; k < g.k; k += k_max) {
      Gemm part = g;
      part.k = std::min(k_max, g.k - k);
      part.b = static_cast<const std::uint32_t*>(g.b) + k * block_columns;
      part.accumulate = g.accumulate || k > 0;
      for (std::int64_t t = 0; t * block_columns < rows; ++t)
        for (std::int64_t j = 0; j < part.k; j += block_columns)
          transpose(a + (i / block_columns + t) * g.a_block + (k + j) * block_columns,
                    turned + t * k_max * block_columns + j * block_columns);
      multiply_row_tiles(part, turned, k_max * block_columns, tile_elements, c, rows);
    }
  }
  _tile_release();
}

}  // namespace

Bf16Unit bf16_unit() {
  static const Bf16Unit unit = find_unit();
  return unit;
}

void gemm_bf16(const Gemm& gemm) {
  if (bf16_unit() == Bf16Unit::amx) return multiply_tiles(gemm);
  gemm.a_transposed ? multiply_vectors<true>(gemm) : multiply_vectors<false>(gemm);
}

}  // namespace charnn

#else

namespace charnn {

Bf16Unit bf16_unit() { return Bf16Unit::none; }
void gemm_bf16(const Gemm&) {}

}  // namespace charnn

#endif
