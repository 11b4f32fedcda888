#include "fast/packed_network.h"

#include <algorithm>

namespace charnn {

NetworkShape::NetworkShape(const ModelConfig& c, std::int64_t vocabulary_size, Format f)
    : config(c), format(f), cell(layout_of(c.cell)), V(vocabulary_size), E(c.embedding), H(c.hidden), L(c.layers) {
  const std::int64_t unit = f == Format::f32 ? block_columns : 2 * block_columns;
  Hp = round_up(H, unit);
  Vp = round_up(V, unit);
  Ep = round_up(E, block_columns);
  Hb = Hp / block_columns;
  Vb = Vp / block_columns;
  Eb = Ep / block_columns;
}

Axis NetworkShape::gates(int first, int count, std::int64_t stride) const {
  Axis axis{H, Hb, {}, stride};
  for (int slot = first; slot < first + count; ++slot)
    axis.first.push_back(cell.gate[static_cast<std::size_t>(slot)] * H);
  return axis;
}

namespace {

/// What the sums of each slot begin with: both biases where both parts meet in one sum.
void pack_bias(const NetworkShape& s, const float* ih, const float* hh, Buffer& out) {
  out.reserve(s.cell.slots * s.Hp);
  for (int slot = 0; slot < s.cell.slots; ++slot) {
    const bool x = slot >= s.cell.x_first && slot < s.cell.x_first + s.cell.x_count;
    const bool h = slot >= s.cell.h_first && slot < s.cell.h_first + s.cell.h_count;
    const std::int64_t gate = s.cell.gate[static_cast<std::size_t>(slot)] * s.H;
    for (std::int64_t j = 0; j < s.H; ++j)
      out.floats()[slot * s.Hp + j] = (x ? ih[gate + j] : 0.0F) + (h ? hh[gate + j] : 0.0F);
  }
}

}  // namespace

void PackedNetwork::pack(const NetworkShape& s, const std::vector<torch::Tensor>& weights, bool backward,
                         ThreadPool& pool) {
  using Kind = NetworkShape::Kind;
  const auto data = [&](std::size_t index) { return weights[index].data_ptr<float>(); };
  layers.resize(static_cast<std::size_t>(s.L));
  for (std::int64_t l = 0; l < s.L; ++l) {
    Layer& layer = layers[static_cast<std::size_t>(l)];
    const Format x_format = l == 0 ? Format::f32 : s.format;
    const std::int64_t inputs = l == 0 ? s.E : s.H;
    const Axis input = l == 0 ? s.embedding(1) : s.hidden(1);
    const float* ih = data(s.index(l, Kind::weight_ih));
    const float* hh = data(s.index(l, Kind::weight_hh));
    const Axis x_gates = s.gates(s.cell.x_first, s.cell.x_count, inputs);
    const Axis h_gates = s.gates(s.cell.h_first, s.cell.h_count, s.H);
    layer.x_forward.pack(ih, input, x_gates, x_format, pool);
    layer.h_forward.pack(hh, s.hidden(1), h_gates, s.format, pool);
    pack_bias(s, data(s.index(l, Kind::bias_ih)), data(s.index(l, Kind::bias_hh)), layer.bias);
    if (!backward) continue;
    layer.x_backward.pack(ih, x_gates, input, x_format, pool);
    layer.h_backward.pack(hh, h_gates, s.hidden(1), s.format, pool);
  }
  encoder.pack(data(0), s.symbols(s.E), s.embedding(1), Format::f32, pool);
  const float* decoder = data(s.decoder_weight());
  decoder_forward.pack(decoder, s.hidden(1), s.symbols(s.H), s.format, pool);
  if (backward) decoder_backward.pack(decoder, s.symbols(s.H), s.hidden(1), s.format, pool);
  decoder_bias.reserve(s.Vp);
  std::copy_n(data(s.decoder_bias()), s.V, decoder_bias.floats());
  std::fill(decoder_bias.floats() + s.V, decoder_bias.floats() + s.Vp, -1e30F);
}

}  // namespace charnn
