#include "fast/packed_network.h"
#include <algorithm>
#include "fast/masks.h"
#include "kernels/thread_pool.h"

namespace charnn {
PaddedShape::PaddedShape(const NetworkLayout& network, Format products, Format padding)
    : layout(network),
      format(products),
      cell(kind_of(network.config().cell)),
      V(network.vocabulary_size()),
      E(network.config().embedding),
      H(network.config().hidden),
      L(network.config().layers),
      Hp(round_up(H, column_unit(padding))),
      Vp(round_up(V, column_unit(padding))),
      Ep(round_up(E, block_width)),
      Hb(Hp / block_width),
      Vb(Vp / block_width),
      Eb(Ep / block_width) {}

BlockedAxis PaddedShape::gates(int first, int count, std::int64_t stride) const {
  BlockedAxis axis{H, Hb, {}, stride};
  for (int slot = first; slot < first + count; ++slot) axis.first.push_back(cell.gate_of_slot[slot] * H);
  return axis;
}

namespace {
/// What the sums of each slot begin with: both biases where both parts meet in one sum.
void pack_bias(const PaddedShape& s, const float* ih, const float* hh, Buffer& out) {
  out.reserve(s.cell.slots * s.Hp);
  for (int slot = 0; slot < s.cell.slots; ++slot) {
    const bool x = s.cell.takes_x(slot), h = s.cell.takes_h(slot);
    const std::int64_t gate = s.cell.gate_of_slot[slot] * s.H;
    for (std::int64_t j = 0; j < s.H; ++j)
      out.floats()[slot * s.Hp + j] = (x ? ih[gate + j] : 0.0F) + (h ? hh[gate + j] : 0.0F);
  }
}
}  // namespace

void PackedNetwork::pack(const PaddedShape& s, const float* weights, bool backward, ThreadPool& pool,
                         const Masks* dropout) {
  using Part = NetworkLayout::Part;
  const auto data = [&](const WeightInfo& weight) { return weights + weight.offset; };
  layers.resize(static_cast<std::size_t>(s.L));
  for (std::int64_t l = 0; l < s.L; ++l) {
    Layer& layer = layers[l];
    const Format x_format = l == 0 ? Format::f32 : s.format;
    const BlockedAxis input = l == 0 ? s.embedding(1) : s.hidden(1);
    const float* ih = data(s.layout.rnn(l, Part::weight_ih));
    const float* hh = data(s.layout.rnn(l, Part::weight_hh));
    if (dropout != nullptr) {
      const std::int64_t size = s.layout.rnn(l, Part::weight_hh).size;
      kept_.resize(static_cast<std::size_t>(size));
      pool.run_ranges(size, 1 << 14, [&, whole = hh](std::int64_t begin, std::int64_t end) {
        dropout->weights(l, whole + begin, kept_.data() + begin, begin, end - begin);
      });
      hh = kept_.data();
    }
    const BlockedAxis x_gates = s.gates(s.cell.x_first, s.cell.x_count, input.size);
    const BlockedAxis h_gates = s.gates(s.cell.h_first, s.cell.h_count, s.H);
    layer.x_forward.pack(ih, input, x_gates, x_format, pool);
    layer.h_forward.pack(hh, s.hidden(1), h_gates, s.format, pool);
    pack_bias(s, data(s.layout.rnn(l, Part::bias_ih)), data(s.layout.rnn(l, Part::bias_hh)), layer.bias);
    if (!backward) continue;
    layer.x_backward.pack(ih, x_gates, input, x_format, pool);
    layer.h_backward.pack(hh, h_gates, s.hidden(1), s.format, pool);
  }
  encoder.pack(data(s.layout.encoder()), s.symbols(s.E), s.embedding(1), Format::f32, pool);
  const float* decoder = data(s.layout.decoder_weight());
  decoder_forward.pack(decoder, s.hidden(1), s.symbols(s.H), s.format, pool);
  if (backward) decoder_backward.pack(decoder, s.symbols(s.H), s.hidden(1), s.format, pool);
  decoder_bias.reserve(s.Vp);
  std::copy_n(data(s.layout.decoder_bias()), s.V, decoder_bias.floats());
  std::fill(decoder_bias.floats() + s.V, decoder_bias.floats() + s.Vp, -1e30F);
}
}  // namespace charnn
