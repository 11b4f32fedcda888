#include "fast/streamed_matrix.h"
#include <algorithm>
#include <bit>
#include <cmath>

namespace charnn {
namespace {
/// Rounded to bfloat16, ties to even.
float rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffU + (bits >> 16 & 1U)) & 0xffff0000U);
}

/// Each row of a matrix, rounded to multiples of a scale, of which 127 are its largest element. The scale has 16 bits:
/// so its multiples are floats, and the largest divided by 127 is the scale again.
void round_rows(float* matrix, const WeightInfo& info) {
  const std::int64_t columns = info.shape.back();
  for (float* row = matrix; row < matrix + info.size; row += columns) {
    float most = 0;
    for (std::int64_t i = 0; i < columns; ++i) most = std::max(most, std::abs(row[i]));
    const float scale = std::bit_cast<float>((std::bit_cast<std::uint32_t>(most / 127) + 0xffU) & 0xffffff00U);
    for (std::int64_t i = 0; i < columns && most > 0; ++i) row[i] = scale * std::rint(row[i] / scale);
  }
}

/// Of a panel's 16 columns.
void find_scales(const RightMatrix& matrix, std::int64_t panel, float* scales) {
  std::fill_n(scales, W, 0.0F);
  for (std::int64_t i = 0; i < matrix.k(); ++i)
    for (std::int64_t j = 0; j < W; ++j) scales[j] = std::max(scales[j], std::abs(matrix.row(panel, i)[j]));
  for (std::int64_t j = 0; j < W; ++j) scales[j] /= 127;
}
}  // namespace

void round_weights(float* weights, const NetworkLayout& layout, StepWeights kept) {
  if (kept == StepWeights::bf16) std::transform(weights, weights + layout.size(), weights, rounded);
  if (kept != StepWeights::int8) return;
  // The first layer's input is not among them: sampling reads it from a table.
  for (std::int64_t l = 0; l < layout.config().layers; ++l)
    for (const auto part : {NetworkLayout::Part::weight_ih, NetworkLayout::Part::weight_hh})
      if (const WeightInfo& info = layout.rnn(l, part); l > 0 || part == NetworkLayout::Part::weight_hh)
        round_rows(weights + info.offset, info);
}

void StreamedMatrix::pack(const RightMatrix& matrix, std::int64_t panels_a_unit, std::int64_t units, std::int64_t apart,
                          StreamFormat format) {
  constexpr std::int64_t most_panels = 8;  // of a group
  format_ = format;
  k_ = matrix.k();
  units_ = units;
  panels_a_unit_ = panels_a_unit;
  units_a_group_ = most_panels / panels_a_unit;
  data_.reserve((k_ * units * panels_a_unit * W * size_of(format) + 3) / 4);
  scales_.reserve(format == StreamFormat::int8 ? units * panels_a_unit * W : 0);
  float* floats = data_.floats();
  auto* halves = static_cast<std::uint16_t*>(static_cast<void*>(floats));
  auto* bytes = static_cast<std::int8_t*>(static_cast<void*>(floats));
  const auto place = [&](std::int64_t unit, std::int64_t p) {
    return scales_.floats() + (unit * panels_a_unit + p) * W;
  };
  for (std::int64_t v = 0; v < units && format == StreamFormat::int8; ++v)
    for (std::int64_t p = 0; p < panels_a_unit; ++p) find_scales(matrix, p * apart + v, place(v, p));
  for (std::int64_t u = 0; u < units; u += units_a_group_)
    for (std::int64_t i = 0; i < k_; ++i)
      for (std::int64_t v = u; v < std::min(u + units_a_group_, units); ++v)
        for (std::int64_t p = 0; p < panels_a_unit; ++p) {
          const float* row = matrix.row(p * apart + v, i);
          if (format == StreamFormat::int8)
            bytes = std::transform(row, row + W, place(v, p), bytes, [](float value, float scale) {
              return static_cast<std::int8_t>(scale > 0 ? value / scale : 0);
            });
          else if (format == StreamFormat::bf16)
            halves = std::transform(row, row + W, halves, [](float value) {
              return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
            });
          else
            floats = std::copy_n(row, W, floats);
        }
}

void StreamedMatrix::multiply(const float* x, std::int64_t first, std::int64_t units, float* sums,
                              std::int64_t unit_stride) const {
  const char* data = static_cast<const char*>(static_cast<const void*>(data_.floats()));
  for (std::int64_t u = first; u < first + units; u += units_a_group_) {
    const std::int64_t begin = u * panels_a_unit_ * W;
    Gemv g{data + begin * k_ * size_of(format_),
           format_,
           scales_.size() > 0 ? scales_.floats() + begin : nullptr,
           x,
           k_,
           0,
           {}};
    for (std::int64_t v = u; v < std::min(u + units_a_group_, units_); ++v)
      for (std::int64_t p = 0; p < panels_a_unit_; ++p) g.sums[g.panels++] = sums + v * unit_stride + p * W;
    gemv(g);
  }
}
}  // namespace charnn
