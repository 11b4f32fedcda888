// Products of bfloat16. Highway has no tiles, so they are written with the compiler's intrinsics.
#include <algorithm>
#include "kernels/gemm.h"
#include "kernels/gemm_tiles.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace charnn {
namespace {
#define CHARNN_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define CHARNN_AMX __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16,amx-tile,amx-bf16")))

Bf16Unit best_unit = Bf16Unit::amx;

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

// --- AVX-512 BF16: as FloatTile in gemm.cpp, with one instruction for two products ---

struct PairTile {
  template <int Rows, int Panels, bool Transposed>
  CHARNN_AVX512_BF16 static void run(const Tile<std::uint32_t>& t) {
    const Gemm& g = t.gemm;
    __m512 sum[Rows][Panels];
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
      for (int p = 0; p < Panels; ++p)
        sum[i][p] = t.accumulate ? _mm512_loadu_ps(t.c + i * block_width + p * g.c_panel) : _mm512_setzero_ps();
    for (std::int64_t k0 = t.k_begin; k0 < t.k_end; k0 += block_width) {
      const std::uint32_t* column = Transposed ? t.a + k0 * block_width : t.a + k0 / block_width * g.a_block;
      for (std::int64_t k = 0; k < block_width; ++k) {
        __m512bh row[Panels];
#pragma GCC unroll 4
        for (int p = 0; p < Panels; ++p)
          row[p] = (__m512bh)_mm512_load_si512(t.b + p * g.b_panel + (k0 + k) * block_width);
#pragma GCC unroll 8
        for (int i = 0; i < Rows; ++i) {
          const std::uint32_t pair = Transposed ? column[k * block_width + i] : column[i * block_width + k];
          const __m512bh factor = (__m512bh)_mm512_set1_epi32(static_cast<int>(pair));
#pragma GCC unroll 4
          for (int p = 0; p < Panels; ++p) sum[i][p] = _mm512_dpbf16_ps(sum[i][p], factor, row[p]);
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
      for (int p = 0; p < Panels; ++p) _mm512_storeu_ps(t.c + i * block_width + p * g.c_panel, sum[i][p]);
  }
};

// --- AMX: tiles of 16 rows of 64 bytes ---

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};
  std::uint8_t rows[16] = {};
};

constexpr std::int64_t tile_elements = block_width * block_width;

/// out[i][k] = in[k][i], 16 x 16.
CHARNN_AMX void transpose(const std::uint32_t* in, std::uint32_t* out) {
  __m512i row[16], pair[16];
  for (std::int64_t i = 0; i < 16; ++i) row[i] = _mm512_load_si512(in + 16 * i);
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
  for (std::int64_t c = 0; c < 4; ++c) {
    const __m512i low02 = _mm512_shuffle_i32x4(row[c], row[4 + c], 0x88),
                  low13 = _mm512_shuffle_i32x4(row[c], row[4 + c], 0xdd);
    const __m512i high02 = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0x88),
                  high13 = _mm512_shuffle_i32x4(row[8 + c], row[12 + c], 0xdd);
    _mm512_store_si512(out + 16 * c, _mm512_shuffle_i32x4(low02, high02, 0x88));
    _mm512_store_si512(out + 16 * (4 + c), _mm512_shuffle_i32x4(low13, high13, 0x88));
    _mm512_store_si512(out + 16 * (8 + c), _mm512_shuffle_i32x4(low02, high02, 0xdd));
    _mm512_store_si512(out + 16 * (12 + c), _mm512_shuffle_i32x4(low13, high13, 0xdd));
  }
}

/// One product of tiles: those of C are 0 1 / 2 3, of A 4 and 5, of B 6 and 7.
template <int RowTiles, int Panels>
CHARNN_AMX inline void multiply_loaded() {
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (Panels > 1) _tile_dpbf16ps(1, 4, 7);
  if constexpr (RowTiles > 1) _tile_dpbf16ps(2, 5, 6);
  if constexpr (RowTiles > 1 && Panels > 1) _tile_dpbf16ps(3, 5, 7);
}

/// Whole tiles of A, ready for loading.
struct TileRows {
  const std::uint32_t* data;
  std::ptrdiff_t second;  ///< to the second row of tiles
  std::ptrdiff_t step;    ///< to the next tile along k
  std::ptrdiff_t plane;
};

template <int RowTiles, int Panels, Format format>
CHARNN_AMX void tile_block(const Gemm& g, const TileRows& rows, const std::uint32_t* b, float* c) {
  const std::size_t c_stride = block_width * sizeof(float);
  float* c10 = c + block_width * block_width;
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
  const std::uint32_t* a = rows.data;
  const auto load_a = [&](std::ptrdiff_t plane) CHARNN_AMX {
    _tile_loadd(4, a + plane * rows.plane, 64);
    if constexpr (RowTiles > 1) _tile_loadd(5, a + plane * rows.plane + rows.second, 64);
  };
  const auto load_b = [&](std::ptrdiff_t plane) CHARNN_AMX {
    _tile_loadd(6, b + plane * g.b_plane, 64);
    if constexpr (Panels > 1) _tile_loadd(7, b + plane * g.b_plane + g.b_panel, 64);
  };
  constexpr std::ptrdiff_t high = 0, middle = 1, low = 2;
  for (std::int64_t k = 0; k < g.k; k += block_width, a += rows.step, b += tile_elements) {
    load_a(high);
    if constexpr (format == Format::bf16x3) {
      // In an order that loads few tiles twice. Middle x low and low x low are below a float's last bit.
      load_b(low);
      multiply_loaded<RowTiles, Panels>();
      load_b(middle);
      multiply_loaded<RowTiles, Panels>();
      load_a(middle);
      multiply_loaded<RowTiles, Panels>();
      load_b(high);
      multiply_loaded<RowTiles, Panels>();
      load_a(low);
      multiply_loaded<RowTiles, Panels>();
      load_a(high);
      multiply_loaded<RowTiles, Panels>();
    } else {
      load_b(high);
      multiply_loaded<RowTiles, Panels>();
    }
  }
  _tile_stored(0, c, c_stride);
  if constexpr (Panels > 1) _tile_stored(1, c + g.c_panel, c_stride);
  if constexpr (RowTiles > 1) _tile_stored(2, c10, c_stride);
  if constexpr (RowTiles > 1 && Panels > 1) _tile_stored(3, c10 + g.c_panel, c_stride);
}

/// Up to 32 rows, over all panels.
template <int RowTiles, Format format>
CHARNN_AMX void multiply_tile_rows(const Gemm& g, const TileRows& tiles, float* c, std::int64_t rows) {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) {
    config.bytes[tile] = 64;
    config.rows[tile] = 16;
  }
  const auto last_rows = static_cast<std::uint8_t>(rows - (RowTiles - 1) * block_width);
  for (const int tile : {2 * (RowTiles - 1), 2 * (RowTiles - 1) + 1, 3 + RowTiles}) config.rows[tile] = last_rows;
  _tile_loadconfig(&config);
  const auto* b = static_cast<const std::uint32_t*>(g.b);
  std::int64_t p = 0;
  for (; p + 2 <= g.panels; p += 2) tile_block<RowTiles, 2, format>(g, tiles, b + p * g.b_panel, c + p * g.c_panel);
  if (p < g.panels) tile_block<RowTiles, 1, format>(g, tiles, b + p * g.b_panel, c + p * g.c_panel);
}

template <Format format>
CHARNN_AMX void multiply_rows(const Gemm& g, const TileRows& tiles, float* c, std::int64_t rows) {
  rows > block_width ? multiply_tile_rows<2, format>(g, tiles, c, rows)
                     : multiply_tile_rows<1, format>(g, tiles, c, rows);
}

template <Format format>
CHARNN_AMX void multiply_tiles(const Gemm& g) {
  const auto* a = static_cast<const std::uint32_t*>(g.a);
  for (std::int64_t i = 0; i < g.m; i += 2 * block_width) {
    const std::int64_t rows = std::min(2 * block_width, g.m - i);
    float* c = g.c + i * block_width;
    if (!g.a_transposed) {
      multiply_rows<format>(g, {a + i * block_width, tile_elements, g.a_block, g.a_plane}, c, rows);
      continue;
    }
    // Tiles want the rows of A along k.
    constexpr std::int64_t k_max = 128, tile_row = k_max * block_width, plane = 2 * tile_row;
    alignas(64) std::uint32_t turned[planes(format) * plane];
    for (std::int64_t k = 0; k < g.k; k += k_max) {
      Gemm part = g;
      part.k = std::min(k_max, g.k - k);
      part.b = static_cast<const std::uint32_t*>(g.b) + k * block_width;
      part.accumulate = g.accumulate || k > 0;
      for (std::int64_t q = 0; q < planes(format); ++q)
        for (std::int64_t t = 0; t * block_width < rows; ++t)
          for (std::int64_t j = 0; j < part.k; j += block_width)
            transpose(a + q * g.a_plane + (i / block_width + t) * g.a_block + (k + j) * block_width,
                      turned + q * plane + t * tile_row + j * block_width);
      multiply_rows<format>(part, {turned, tile_row, tile_elements, plane}, c, rows);
    }
  }
  _tile_release();
}
}  // namespace

Bf16Unit bf16_unit() {
  static const Bf16Unit unit = find_unit();
  return std::min(unit, best_unit);
}

void limit_bf16_unit(Bf16Unit best) { best_unit = best; }

bool bf16_is_fast() {
  return bf16_unit() == Bf16Unit::amx || (bf16_unit() == Bf16Unit::avx512_bf16 && __builtin_cpu_is("amd"));
}

void gemm_avx512_bf16(const Gemm& gemm) { multiply_in_tiles<PairTile, 6, 4, std::uint32_t>(gemm); }

void gemm_amx(const Gemm& gemm, Format format) {
  format == Format::bf16x3 ? multiply_tiles<Format::bf16x3>(gemm) : multiply_tiles<Format::bf16>(gemm);
}
}  // namespace charnn

#else  // no x86-64: bf16_unit() keeps the others from being called

namespace charnn {
Bf16Unit bf16_unit() { return Bf16Unit::none; }
bool bf16_is_fast() { return false; }
void limit_bf16_unit(Bf16Unit) {}
void gemm_avx512_bf16(const Gemm&) {}
void gemm_amx(const Gemm&, Format) {}
}  // namespace charnn

#endif

namespace charnn {
Format exact_format() { return bf16_unit() == Bf16Unit::amx ? Format::bf16x3 : Format::f32; }

void multiply(Format format, const Gemm& gemm) {
  if (format == Format::f32) return gemm_f32(gemm);
  bf16_unit() == Bf16Unit::amx ? gemm_amx(gemm, format) : gemm_avx512_bf16(gemm);
}
}  // namespace charnn
