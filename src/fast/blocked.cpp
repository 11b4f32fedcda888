#include "fast/blocked.h"

#include <algorithm>
#include <cstring>

namespace charnn {

void Buffer::reserve(std::int64_t n) {
  if (n <= size_) return;
  const std::size_t bytes = static_cast<std::size_t>(round_up(n, block_columns)) * sizeof(float);
  memory_.reset();
  size_ = 0;
  memory_.reset(std::aligned_alloc(64, bytes));
  if (!memory_) throw std::bad_alloc();
  std::memset(memory_.get(), 0, bytes);
  size_ = n;
}

CellLayout layout_of(Cell cell) {
  switch (cell) {
    case Cell::rnn: return {1, 0, 1, 0, 1, {0}};
    case Cell::gru: return {4, 0, 3, 1, 3, {2, 0, 1, 2}};
    case Cell::lstm: break;
  }
  return {4, 0, 4, 0, 4, {0, 1, 2, 3}};
}

Axis::Place Axis::place(std::int64_t b) const noexcept {
  const std::int64_t within = b % blocks * block_columns;
  const std::int64_t begin = first[static_cast<std::size_t>(b / blocks)] + within;
  return {begin * stride, std::clamp<std::int64_t>(size - within, 0, block_columns)};
}

namespace {

/// A block of 16 x 16: out[16 k + n], what is missing filled with zeros.
void pack_block(const float* weight, const Axis& k_axis, std::int64_t k_block, const Axis& n_axis, std::int64_t n_block,
                float* out) {
  const Axis::Place k = k_axis.place(k_block), n = n_axis.place(n_block);
  if (k.valid < block_columns || n.valid < block_columns) std::fill(out, out + block_columns * block_columns, 0.0F);
  const float* from = weight + k.offset + n.offset;
  for (std::int64_t i = 0; i < k.valid; ++i)
    for (std::int64_t j = 0; j < n.valid; ++j) out[i * block_columns + j] = from[i * k_axis.stride + j * n_axis.stride];
}

}  // namespace

void Panels::pack(const float* weight, const Axis& k_axis, const Axis& n_axis, Format format, ThreadPool& pool) {
  constexpr std::int64_t block = block_columns * block_columns;
  k = elements(format, k_axis.padded());
  plane = k * n_axis.padded();
  data.reserve(planes(format) * plane);
  pool.run(n_axis.count(), [&](std::int64_t panel) {
    if (format == Format::f32) {
      for (std::int64_t b = 0; b < k_axis.count(); ++b)
        pack_block(weight, k_axis, b, n_axis, panel, data.floats() + (panel * k_axis.count() + b) * block);
      return;
    }
    alignas(64) float two[2 * block];
    for (std::int64_t b = 0; b < k_axis.count(); b += 2) {
      pack_block(weight, k_axis, b, n_axis, panel, two);
      pack_block(weight, k_axis, b + 1, n_axis, panel, two + block);
      pair_rows(format, two, data.pairs() + panel * k * block_columns + b / 2 * block, plane, 2 * block_columns);
    }
  });
}

Gemm Panels::gemm(std::int64_t first, std::int64_t count, std::int64_t apart) const {
  Gemm gemm;
  gemm.k = k;
  gemm.panels = count;
  gemm.b = data.floats() + first * k * block_columns;
  gemm.b_panel = apart * k * block_columns;
  gemm.b_plane = plane;
  return gemm;
}

}  // namespace charnn
