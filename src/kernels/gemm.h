#pragma once
#include <cstddef>
#include <cstdint>

namespace charnn {
/// Columns of one block. All matrices are stored in blocks of 16 columns, each block holding its 16 values of every row
/// one after the other ("blocked": [columns / 16][rows][16]). So an operand, a result and the gradient of either are
/// read in straight lines, whatever the sizes, and no edge of a matrix needs special code: what does not fill a block
/// is padded with zeros.
inline constexpr std::int64_t block_width = 16;

/// n rounded up to a multiple of `multiple`.
constexpr std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// How the factors of a product are stored.
enum class Format {
  f32,     ///< floats
  bf16,    ///< bfloat16, rounded to nearest
  bf16x3,  ///< each float as the sum of three bfloat16: all its 24 bits
};

/// One matrix product C = A B (or C += A B) of blocked matrices; C is float.
///
/// With bf16 an element of A or B is a pair of bfloat16, neighbours along k (the lower k in the lower half), so that
/// all addresses are the same with k counted in pairs. bf16x3 has three such planes (high, middle, low part) and sums
/// the six products of parts that matter, so that its error is that of float (Henry, Tang, Heinecke 2019, "Leveraging
/// the bfloat16 artificial intelligence datatype for higher-precision computations"). Sums are float in all formats.
///
/// Each element of C is one chain of additions over rising k, whatever the tiling: a result does not depend on how rows
/// and columns are shared out among calls or threads.
struct Gemm {
  std::int64_t m = 0;       ///< rows of A and C
  std::int64_t k = 0;       ///< columns of A, rows of B, in elements; pairs: a multiple of 16
  std::int64_t panels = 0;  ///< blocks of 16 columns of B and C

  /// A(i, k) lies at a[k / 16 * a_block + i * 16 + k % 16]; transposed: at a[i / 16 * a_block + k * 16 + i % 16].
  const void* a = nullptr;
  std::ptrdiff_t a_block = 0;
  std::ptrdiff_t a_plane = 0;  ///< bf16x3: from one plane to the next
  bool a_transposed = false;

  /// B(k, 16 p + j) lies at b[p * b_panel + k * 16 + j].
  const void* b = nullptr;
  std::ptrdiff_t b_panel = 0;
  std::ptrdiff_t b_plane = 0;

  /// C(i, 16 p + j) lies at c[p * c_panel + i * 16 + j].
  float* c = nullptr;
  std::ptrdiff_t c_panel = 0;
  bool accumulate = false;  ///< add to C instead of writing it
};

void multiply(Format format, const Gemm& gemm);

/// The ways to do it, for multiply() and tests.
void gemm_f32(const Gemm& gemm);
void gemm_avx512_bf16(const Gemm& gemm);         ///< only where bf16_unit() says so
void gemm_amx(const Gemm& gemm, Format format);  ///< bf16 or bf16x3; only where bf16_unit() says so

/// Which instructions multiply bfloat16 on this CPU.
enum class Bf16Unit { none, avx512_bf16, amx };
Bf16Unit bf16_unit();
void limit_bf16_unit(Bf16Unit best);  ///< bf16_unit() is nothing better from now on
bool bf16_is_fast();                  ///< faster than floats; Intel's AVX-512 BF16 is not

/// The format that is fastest here and as exact as float: bf16x3 with AMX (2 to 3 times faster), else f32.
Format exact_format();

constexpr std::int64_t planes(Format format) { return format == Format::bf16x3 ? 3 : 1; }
/// Elements of a plane along k.
constexpr std::int64_t elements(Format format, std::int64_t k) { return format == Format::f32 ? k : k / 2; }
/// What a matrix's columns must be padded to: whole blocks, or pairs of blocks.
constexpr std::int64_t column_unit(Format format) { return format == Format::f32 ? block_width : 2 * block_width; }

/// Converts `blocks` (even) float blocks [rows][16] for a factor A: pairs of neighbours in a row,
/// [blocks / 2][rows][16].
void to_pairs(Format format, const float* from, std::int64_t from_block, std::uint32_t* to, std::int64_t to_block,
              std::int64_t to_plane, std::int64_t blocks, std::int64_t rows);

/// Converts one float block [rows][16] for a factor B, or a transposed A: rows 2 q and 2 q + 1 paired, [rows / 2][16].
void pair_rows(Format format, const float* from, std::uint32_t* to, std::int64_t to_plane, std::int64_t rows);

/// How gemv() finds weights: floats, bfloat16, or bytes that a factor makes floats of.
enum class StreamFormat { f32, bf16, int8 };

/// sums[i] += sum over k of x[k] W[k][i] for `panels` (at most 8) rows of 16 sums each; row p of the sums lies at
/// sums[p] and W is [k][panels][16]. Sums and scales are aligned to 64 bytes, a row of 16 weights to its size. Sums run
/// over rising k.
struct Gemv {
  const void* weights;
  StreamFormat format;
  const float* scales;  ///< int8: W is a byte times scales[panel][16]; the products are summed before that factor
  const float* x;
  std::int64_t k;
  int panels;
  float* sums[8];
};
void gemv(const Gemv& gemv);
}  // namespace charnn
