#pragma once

#include <cstddef>
#include <cstdint>

namespace charnn {

/// Columns of one block. All matrices of the fused path are stored in blocks of 16 columns, each block holding its
/// 16 values of every row one after the other ("blocked": [columns / 16][rows][16]). So an operand, a result and
/// the gradient of either are read in straight lines, whatever the sizes, and no edge of a matrix needs special
/// code: what does not fill a block is padded with zeros.
inline constexpr std::int64_t block_columns = 16;

/// n rounded up to a multiple of `multiple`.
constexpr std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// One matrix product C = A B (or C += A B) of blocked matrices; C is float.
///
/// gemm_f32: elements of A and B are floats. gemm_bf16: elements are pairs of bfloat16 that are neighbours along k
/// (the lower k in the lower half), so that all addresses are the same with k counted in pairs; products are summed
/// in float.
///
/// Each element of C is one chain of multiply-adds over rising k, whatever the tiling: a result does not depend on
/// how rows and columns are shared out among calls or threads.
struct Gemm {
  std::int64_t m = 0;       ///< rows of A and C
  std::int64_t k = 0;       ///< columns of A, rows of B, in elements; gemm_bf16: a multiple of 16
  std::int64_t panels = 0;  ///< blocks of 16 columns of B and C

  /// A(i, k) lies at a[k / 16 * a_block + i * 16 + k % 16]; transposed: at a[i / 16 * a_block + k * 16 + i % 16].
  const void* a = nullptr;
  std::ptrdiff_t a_block = 0;
  bool a_transposed = false;

  /// B(k, 16 p + j) lies at b[p * b_panel + k * 16 + j].
  const void* b = nullptr;
  std::ptrdiff_t b_panel = 0;

  /// C(i, 16 p + j) lies at c[p * c_panel + i * c_row + j].
  float* c = nullptr;
  std::ptrdiff_t c_row = block_columns;
  std::ptrdiff_t c_panel = 0;
  bool accumulate = false;  ///< add to C instead of writing it
};

void gemm_f32(const Gemm& gemm);

}  // namespace charnn
