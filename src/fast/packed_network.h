#pragma once

#include <cstdint>
#include <vector>

#include "core/data/torch.h"
#include "fast/blocked.h"

namespace charnn {

/// The sizes of a network as the fused path pads them. V symbols, E embedding, H hidden, L layers.
struct NetworkShape {
  NetworkShape(const ModelConfig& config, std::int64_t vocabulary_size, Format format);

  ModelConfig config;
  Format format;
  CellLayout cell;
  std::int64_t V, E, H, L;
  std::int64_t Hb, Hp;  ///< blocks of H (an even number for pairs), and H padded
  std::int64_t Vb, Vp;  ///< the same of V
  std::int64_t Eb, Ep;  ///< the same of E; the first layer's input is always f32

  Axis hidden(std::int64_t stride) const { return {H, Hb, {0}, stride}; }
  Axis symbols(std::int64_t stride) const { return {V, Vb, {0}, stride}; }
  Axis embedding(std::int64_t stride) const { return {E, Eb, {0}, stride}; }
  /// Slots [first, first + count) as rows of a weight matrix.
  Axis gates(int first, int count, std::int64_t stride) const;

  /// Position in CharRnn::weights() order: encoder.weight, four tensors a layer, decoder.weight, decoder.bias.
  enum class Kind { weight_ih, weight_hh, bias_ih, bias_hh };
  std::size_t index(std::int64_t layer, Kind kind) const {
    return static_cast<std::size_t>(1 + 4 * layer) + static_cast<std::size_t>(kind);
  }
  std::size_t decoder_weight() const { return static_cast<std::size_t>(1 + 4 * L); }
  std::size_t decoder_bias() const { return decoder_weight() + 1; }
};

/// A network's weights, packed for the products of the fused path. Made anew when the weights change.
struct PackedNetwork {
  struct Layer {
    Panels x_forward;   ///< W_ih: x_count * Hb panels
    Panels h_forward;   ///< W_hh: h_count * Hb panels
    Panels x_backward;  ///< for the way back: a panel for 16 inputs
    Panels h_backward;
    Buffer bias;  ///< [slots][Hp]: what a slot's sum begins with
  };
  std::vector<Layer> layers;
  Panels encoder;  ///< Eb panels of symbols
  Panels decoder_forward;
  Panels decoder_backward;
  Buffer decoder_bias;  ///< [Vp], -1e30 where there is no symbol

  /// `weights` as CharRnn::weights() orders them, contiguous floats on the CPU. `backward`: for training too.
  void pack(const NetworkShape& shape, const std::vector<torch::Tensor>& weights, bool backward, ThreadPool& pool);
};

}  // namespace charnn
