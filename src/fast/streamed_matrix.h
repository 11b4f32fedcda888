#pragma once
#include <cstdint>
#include "core/model/network_layout.h"
#include "fast/packed_network.h"

namespace charnn {
/// A matrix in the order in which a product with one vector reads it: groups of up to 8 panels,
/// [groups][k][panels][16].
class StreamedMatrix {
 public:
  /// `units` blocks of hidden units, each with `panels_a_unit` panels of `matrix` (f32), `apart` from one to the next.
  /// The floats are rounded already to what `format` can hold.
  void pack(const RightMatrix& matrix, std::int64_t panels_a_unit, std::int64_t units, std::int64_t apart,
            StreamFormat format);
  /// Adds x W to the sums of `units` units from `first` on, which begins a group; those of unit u, panel p lie at
  /// sums[u * unit_stride + 16 p].
  void multiply(const float* x, std::int64_t first, std::int64_t units, float* sums, std::int64_t unit_stride) const;
  std::int64_t units_a_group() const noexcept { return units_a_group_; }

 private:
  Buffer data_, scales_;  ///< scales: [groups][panels][16]
  StreamFormat format_ = StreamFormat::f32;
  std::int64_t k_ = 0, units_ = 0, units_a_group_ = 1, panels_a_unit_ = 1;
};

constexpr std::int64_t size_of(StreamFormat format) {
  return format == StreamFormat::int8 ? 1 : format == StreamFormat::bf16 ? 2 : 4;
}

/// Rounds all weights, or those of the recurrent layers, to what `kept` can hold.
void round_weights(float* weights, const NetworkLayout& layout, StepWeights kept);
}  // namespace charnn
