// From floats to pairs of bfloat16, for the products of gemm_bf16.cpp.
#include "kernels/gemm.h"

#if defined(__x86_64__) && defined(__linux__)

#include <immintrin.h>

#define CHARNN_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

namespace charnn {
namespace {
/// A float's leading 8 bits, rounded to nearest, as a float.
CHARNN_AVX512_BF16 inline __m512 leading(__m512 x) {
  const __m512i half = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
  return _mm512_castsi512_ps(_mm512_and_si512(half, _mm512_set1_epi32(static_cast<int>(0xffff0000U))));
}

/// Splits x into parts of 8 bits that add up to it exactly (unless x is infinite: then NaN).
CHARNN_AVX512_BF16 inline void split(__m512 x, __m512i part[3]) {
  const __m512 high = leading(x), rest = _mm512_sub_ps(x, high), middle = leading(rest);
  part[0] = _mm512_castps_si512(high);
  part[1] = _mm512_castps_si512(middle);
  part[2] = _mm512_castps_si512(_mm512_sub_ps(rest, middle));
}

/// The upper halves of the lanes of `low`, then of `high`.
CHARNN_AVX512_BF16 inline __m512i narrow(__m512i low, __m512i high) {
  const __m512i odd = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25,
                                       23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  return _mm512_permutex2var_epi16(low, odd, high);
}

/// The upper halves of `even` and `odd`, lane by lane.
CHARNN_AVX512_BF16 inline __m512i merge(__m512i even, __m512i odd) {
  return _mm512_mask_mov_epi16(_mm512_srli_epi32(even, 16), 0xaaaaaaaaU, odd);
}

CHARNN_AVX512_BF16 void to_pairs_avx512(Format format, const float* from, std::int64_t from_block, std::uint32_t* to,
                                        std::int64_t to_block, std::int64_t to_plane, std::int64_t blocks,
                                        std::int64_t rows) {
  for (std::int64_t b = 0; b < blocks; b += 2, from += 2 * from_block, to += to_block)
    for (std::int64_t r = 0; r < rows; ++r) {
      const __m512 low = _mm512_load_ps(from + r * block_width);
      const __m512 high = _mm512_load_ps(from + from_block + r * block_width);
      if (format == Format::bf16) {
        _mm512_store_si512(to + r * block_width, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        continue;
      }
      __m512i low_part[3], high_part[3];
      split(low, low_part);
      split(high, high_part);
      for (int q = 0; q < 3; ++q)
        _mm512_store_si512(to + q * to_plane + r * block_width, narrow(low_part[q], high_part[q]));
    }
}

CHARNN_AVX512_BF16 void pair_rows_avx512(Format format, const float* from, std::uint32_t* to, std::int64_t to_plane,
                                         std::int64_t rows) {
  for (std::int64_t q = 0; q < rows / 2; ++q, from += 2 * block_width, to += block_width) {
    const __m512 even = _mm512_load_ps(from), odd = _mm512_load_ps(from + block_width);
    if (format == Format::bf16) {
      const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);  // 16 of `even`, then 16 of `odd`
      const __m512i even16 = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(both));
      const __m512i odd16 = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1));
      _mm512_store_si512(to, _mm512_or_si512(even16, _mm512_slli_epi32(odd16, 16)));
      continue;
    }
    __m512i even_part[3], odd_part[3];
    split(even, even_part);
    split(odd, odd_part);
    for (int part = 0; part < 3; ++part)
      _mm512_store_si512(to + part * to_plane, merge(even_part[part], odd_part[part]));
  }
}
}  // namespace

void to_pairs(Format format, const float* from, std::int64_t from_block, std::uint32_t* to, std::int64_t to_block,
              std::int64_t to_plane, std::int64_t blocks, std::int64_t rows) {
  to_pairs_avx512(format, from, from_block, to, to_block, to_plane, blocks, rows);
}

void pair_rows(Format format, const float* from, std::uint32_t* to, std::int64_t to_plane, std::int64_t rows) {
  pair_rows_avx512(format, from, to, to_plane, rows);
}
}  // namespace charnn

#else  // no x86-64: bf16_unit() keeps these from being called

namespace charnn {
void to_pairs(Format, const float*, std::int64_t, std::uint32_t*, std::int64_t, std::int64_t, std::int64_t,
              std::int64_t) {}
void pair_rows(Format, const float*, std::uint32_t*, std::int64_t, std::int64_t) {}
}  // namespace charnn

#endif
