#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>
#include "kernels/buffer.h"
#include "kernels/gemm.h"

namespace charnn {
class ThreadPool;

// The factors of matrix products, whatever their format. Who multiplies writes and reads floats; what the format wants
// beside them is made and kept here.

/// Where a product goes: C(i, 16 p + j) lies at data[p * panel + i * 16 + j].
struct Result {
  float* data;
  std::ptrdiff_t panel;
  bool accumulate = false;  ///< add to what is there
};

/// Some rows of a left factor.
struct LeftRows {
  const void* data;
  std::ptrdiff_t block, plane;
  std::int64_t count;
};

/// Rows of floats: element (i, k) at data[k / 16 * block + i * 16 + k % 16].
inline LeftRows float_rows(const float* data, std::ptrdiff_t block, std::int64_t count) {
  return {data, block, 0, count};
}

/// A matrix [blocks][rows][16] as left factor. Its floats belong to somebody else, who says when they have changed.
class LeftMatrix {
 public:
  /// The next block begins `stride` floats further. `blocks` fill whole column units of the format.
  void bind(Format format, const float* floats, std::ptrdiff_t stride, std::int64_t blocks, std::int64_t rows);
  /// These rows, or these blocks of all rows, have been written since.
  void update_rows(std::int64_t first, std::int64_t count) { update(0, blocks_, first, count); }
  void update_blocks(std::int64_t first, std::int64_t count) { update(first, count, 0, rows_); }
  /// These blocks of these rows; an even number of blocks, from an even one on.
  void update(std::int64_t first_block, std::int64_t blocks, std::int64_t first_row, std::int64_t rows);
  LeftRows rows(std::int64_t first, std::int64_t count, std::int64_t first_block = 0) const;

 private:
  Format format_ = Format::f32;
  const float* floats_ = nullptr;
  std::ptrdiff_t stride_ = 0;
  std::int64_t blocks_ = 0, rows_ = 0;
  Buffer pairs_;  ///< [planes][blocks / 2][rows][16]; empty for f32
};

/// One side of a row-major matrix and the blocks of 16 it is padded to. Block b stands for the elements
/// first[b / blocks] + 16 (b % blocks) onwards, of which those below `size` exist.
struct BlockedAxis {
  std::int64_t size = 0;            ///< elements of one group
  std::int64_t blocks = 0;          ///< blocks of one group
  std::vector<std::int64_t> first;  ///< where each group begins
  std::int64_t stride = 1;          ///< between neighbours in memory

  std::int64_t count() const noexcept { return blocks * static_cast<std::int64_t>(first.size()); }
  std::int64_t padded() const noexcept { return count() * block_width; }

  /// Offset in memory and number of existing elements of block b.
  struct Span {
    std::int64_t offset;
    std::int64_t valid;
  };
  Span span(std::int64_t b) const noexcept;
};

/// `count` panels of a right factor, `apart` from one to the next.
struct PanelRange {
  std::int64_t first, count;
  std::int64_t apart = 1;
};

/// A row-major matrix packed as right factor: panels of 16 columns.
class RightMatrix {
 public:
  /// `k` is the axis summed over, `n` that of the result's columns.
  void pack(const float* matrix, const BlockedAxis& k, const BlockedAxis& n, Format format, ThreadPool& pool);
  /// f32 only: row k of panel p, 16 floats.
  const float* row(std::int64_t p, std::int64_t k) const { return data_.floats() + (p * k_ + k) * block_width; }
  std::int64_t k() const noexcept { return k_; }  ///< elements along the axis summed over

 private:
  friend void multiply(const LeftRows& a, const RightMatrix& b, const PanelRange& panels, const Result& c);
  Format format_ = Format::f32;
  Buffer data_;  ///< [planes][panels][k][16]
  std::int64_t k_ = 0, plane_ = 0;
};

/// C = A B. A has the format of B.
void multiply(const LeftRows& a, const RightMatrix& b, const PanelRange& panels, const Result& c);

/// A matrix [blocks][rows][16] whose rows products sum over: the gradients by all results, or all inputs.
class RowMatrix {
 public:
  static constexpr std::int64_t most_rows = 256;  ///< that can be written at once

  void reserve(Format format, std::int64_t blocks, std::int64_t rows);
  /// Calls fill(floats) to write `count` rows of a block, from row `first` on (a multiple of 32).
  template <class Fill>
  void write(std::int64_t block, std::int64_t first, std::int64_t count, Fill fill) {
    if (format_ == Format::f32) return fill(data_.floats() + (block * rows_ + first) * block_width);
    alignas(64) float rows[most_rows * block_width];
    fill(rows);
    convert(rows, block, first, count);
  }

 private:
  friend void multiply_transposed(const RowMatrix& a, std::int64_t a_blocks, const RowMatrix& b, std::int64_t b_blocks,
                                  std::int64_t b_first, std::int64_t rows, const Result& c);
  void convert(float* rows, std::int64_t block, std::int64_t first, std::int64_t count);

  Format format_ = Format::f32;
  std::int64_t rows_ = 0;   ///< elements of a block along the rows
  std::int64_t plane_ = 0;  ///< elements of a plane
  Buffer data_;             ///< [planes][blocks][rows][16]
};

/// C = A^T B over rows [0, rows) of A and [b_first, b_first + rows) of B: C is [16 a_blocks][16 b_blocks].
void multiply_transposed(const RowMatrix& a, std::int64_t a_blocks, const RowMatrix& b, std::int64_t b_blocks,
                         std::int64_t b_first, std::int64_t rows, const Result& c);
}  // namespace charnn
