#include "kernels/matrix.h"
#include <algorithm>
#include "kernels/thread_pool.h"

namespace charnn {
namespace {
constexpr std::int64_t W = block_width;

/// A block of 16 x 16: out[16 k + n], what does not exist filled with zeros.
void pack_block(const float* matrix, const BlockedAxis& k_axis, std::int64_t k_block, const BlockedAxis& n_axis,
                std::int64_t n_block, float* out) {
  const BlockedAxis::Span k = k_axis.span(k_block), n = n_axis.span(n_block);
  if (k.valid < W || n.valid < W) std::fill(out, out + W * W, 0.0F);
  const float* from = matrix + k.offset + n.offset;
  for (std::int64_t i = 0; i < k.valid; ++i)
    for (std::int64_t j = 0; j < n.valid; ++j) out[i * W + j] = from[i * k_axis.stride + j * n_axis.stride];
}
}  // namespace

void LeftMatrix::bind(Format format, const float* floats, std::ptrdiff_t stride, std::int64_t blocks,
                      std::int64_t rows) {
  format_ = format;
  floats_ = floats;
  stride_ = stride;
  blocks_ = blocks;
  rows_ = rows;
  if (format != Format::f32) pairs_.reserve(planes(format) * blocks / 2 * rows * W);
}

void LeftMatrix::update(std::int64_t first_block, std::int64_t blocks, std::int64_t first_row, std::int64_t rows) {
  if (format_ == Format::f32) return;
  const std::int64_t block = rows_ * W;
  to_pairs(format_, floats_ + first_block * stride_ + first_row * W, stride_,
           pairs_.pairs() + first_block / 2 * block + first_row * W, block, blocks_ / 2 * block, blocks, rows);
}

LeftRows LeftMatrix::rows(std::int64_t first, std::int64_t count, std::int64_t first_block) const {
  if (format_ == Format::f32) return {floats_ + first_block * stride_ + first * W, stride_, 0, count};
  const std::int64_t block = rows_ * W;
  return {pairs_.pairs() + first_block / 2 * block + first * W, block, blocks_ / 2 * block, count};
}

BlockedAxis::Span BlockedAxis::span(std::int64_t b) const noexcept {
  const std::int64_t within = b % blocks * W;
  return {(first[b / blocks] + within) * stride, std::clamp<std::int64_t>(size - within, 0, W)};
}

void RightMatrix::pack(const float* matrix, const BlockedAxis& k_axis, const BlockedAxis& n_axis, Format format,
                       ThreadPool& pool) {
  constexpr std::int64_t block = W * W;
  format_ = format;
  k_ = elements(format, k_axis.padded());
  plane_ = k_ * n_axis.padded();
  data_.reserve(planes(format) * plane_);
  pool.run(n_axis.count(), [&](std::int64_t panel) {
    if (format == Format::f32) {
      for (std::int64_t b = 0; b < k_axis.count(); ++b)
        pack_block(matrix, k_axis, b, n_axis, panel, data_.floats() + (panel * k_axis.count() + b) * block);
      return;
    }
    alignas(64) float two[2 * block];
    for (std::int64_t b = 0; b < k_axis.count(); b += 2) {
      pack_block(matrix, k_axis, b, n_axis, panel, two);
      pack_block(matrix, k_axis, b + 1, n_axis, panel, two + block);
      pair_rows(format, two, data_.pairs() + panel * k_ * W + b / 2 * block, plane_, 2 * W);
    }
  });
}

void multiply(const LeftRows& a, const RightMatrix& b, const PanelRange& panels, const Result& c) {
  multiply(b.format_, Gemm{.m = a.count,
                           .k = b.k_,
                           .panels = panels.count,
                           .a = a.data,
                           .a_block = a.block,
                           .a_plane = a.plane,
                           .b = b.data_.floats() + panels.first * b.k_ * W,
                           .b_panel = panels.apart * b.k_ * W,
                           .b_plane = b.plane_,
                           .c = c.data,
                           .c_panel = c.panel,
                           .accumulate = c.accumulate});
}

void RowMatrix::reserve(Format format, std::int64_t blocks, std::int64_t rows) {
  format_ = format;
  rows_ = elements(format, round_up(rows, 2 * W));
  plane_ = blocks * rows_ * W;
  data_.reserve(planes(format) * plane_);
}

void RowMatrix::convert(float* rows, std::int64_t block, std::int64_t first, std::int64_t count) {
  const std::int64_t padded = round_up(count, 2 * W);
  std::fill(rows + count * W, rows + padded * W, 0.0F);
  pair_rows(format_, rows, data_.pairs() + (block * rows_ + first / 2) * W, plane_, padded);
}

void multiply_transposed(const RowMatrix& a, std::int64_t a_blocks, const RowMatrix& b, std::int64_t b_blocks,
                         std::int64_t b_first, std::int64_t rows, const Result& c) {
  const Format format = a.format_;
  multiply(format, Gemm{.m = a_blocks * W,
                        .k = format == Format::f32 ? rows : round_up(rows, 2 * W) / 2,
                        .panels = b_blocks,
                        .a = a.data_.floats(),
                        .a_block = a.rows_ * W,
                        .a_plane = a.plane_,
                        .a_transposed = true,
                        .b = b.data_.floats() + elements(format, b_first) * W,
                        .b_panel = b.rows_ * W,
                        .b_plane = b.plane_,
                        .c = c.data,
                        .c_panel = c.panel,
                        .accumulate = c.accumulate});
}
}  // namespace charnn
