#pragma once
#include <cstdint>
#include <vector>
#include "core/model/network_layout.h"
#include "kernels/cells.h"
#include "kernels/matrix.h"

namespace charnn {
inline constexpr std::int64_t W = block_width;  ///< the layer indexes with it everywhere

class Masks;

/// A network's sizes, and what the kernels pad them to. V symbols, E embedding, H hidden, L layers.
struct PaddedShape {
  /// Hidden units and symbols are padded to column_unit(padding).
  PaddedShape(const NetworkLayout& network, Format products, Format padding);

  NetworkLayout layout;
  Format format;
  const CellKind& cell;
  std::int64_t V, E, H, L;
  std::int64_t Hp, Vp, Ep;  ///< padded; the first layer's input is always f32
  std::int64_t Hb, Vb, Eb;  ///< in blocks

  BlockedAxis hidden(std::int64_t stride) const { return {H, Hb, {0}, stride}; }
  BlockedAxis symbols(std::int64_t stride) const { return {V, Vb, {0}, stride}; }
  BlockedAxis embedding(std::int64_t stride) const { return {E, Eb, {0}, stride}; }
  /// Slots [first, first + count) as rows of a weight matrix.
  BlockedAxis gates(int first, int count, std::int64_t stride) const;
};

/// A network's weights, packed for products.
struct PackedNetwork {
  struct Layer {
    RightMatrix x_forward;   ///< W_ih: x_count * Hb panels
    RightMatrix h_forward;   ///< W_hh: h_count * Hb panels
    RightMatrix x_backward;  ///< the same matrices for the backward pass: a panel for 16 inputs
    RightMatrix h_backward;
    Buffer bias;  ///< [slots][Hp]: what a slot's sum begins with
  };
  std::vector<Layer> layers;
  RightMatrix encoder;  ///< Eb panels, a row for each symbol
  RightMatrix decoder_forward, decoder_backward;
  Buffer decoder_bias;  ///< [Vp], -1e30 where there is no symbol

  /// `weights`: all of them, as the layout has them. `backward`: for training too. `dropout`: of the hidden-to-hidden
  /// weights; null: none.
  void pack(const PaddedShape& shape, const float* weights, bool backward, ThreadPool& pool,
            const Masks* dropout = nullptr);

 private:
  std::vector<float> kept_;  ///< a hidden-to-hidden matrix after dropout
};
}  // namespace charnn
