// The forward pass through a window.
#include "fast/masks.h"
#include "fast/workspace.h"
#include "kernels/elementwise.h"
#include "kernels/thread_pool.h"

namespace charnn {
namespace {
class Forward {
 public:
  Forward(const PaddedShape& shape, const PackedNetwork& packed, const Workspace& work, StreamShare& share)
      : s_(shape), packed_(packed), work_(work), share_(share), masks_(shape.layout.config(), work.window) {}

  void run() {
    // A chunk of steps at a time goes through all layers, so that what one layer has written is near when the next
    // reads it.
    for (t_ = 0; t_ < share_.steps; t_ += share_.chunk) {
      steps_ = std::min(share_.chunk, share_.steps - t_);
      for (std::int64_t l = 0; l < s_.L; ++l) {
        StreamShare::Layer& layer = share_.layers[l];
        share_.each_range(s_.Hb, 2, [&](std::int64_t begin, std::int64_t end) { begin_sums(l, layer, begin, end); });
        layer.h_left.bind(s_.format, layer.h.floats() + share_.row(t_), share_.state_block(), s_.Hb,
                          (steps_ + 1) * share_.count);
        layer.h_left.update_rows(0, share_.count);
        if (drops(l))
          layer.out_left.bind(s_.format, layer.out.floats() + share_.row(t_), share_.block(), s_.Hb,
                              steps_ * share_.count);
        for (std::int64_t t = t_; t < t_ + steps_; ++t) take_step(l, layer, t);
      }
      decode();
    }
  }

 private:
  bool drops(std::int64_t l) const { return masks_.rate_after(l) > 0; }

  /// A layer's output in this chunk.
  LeftRows output(std::int64_t l) const {
    const StreamShare::Layer& layer = share_.layers[l];
    const std::int64_t rows = steps_ * share_.count;
    return drops(l) ? layer.out_left.rows(0, rows) : layer.h_left.rows(share_.count, rows);
  }

  /// sums = biases + W_ih x of blocks [begin, end) of units, for the whole chunk; of the first layer W_ih x + biases is
  /// a row of the table.
  void begin_sums(std::int64_t l, StreamShare::Layer& layer, std::int64_t begin, std::int64_t end) {
    const PackedNetwork::Layer& weights = packed_.layers[l];
    const std::int64_t rows = steps_ * share_.count, U = work_.symbol_count();
    for (int slot = 0; slot < s_.cell.slots; ++slot) {
      const std::int64_t x = (slot - s_.cell.x_first) * s_.Hb;  // panel of the slot's first block in W_ih and the table
      float* sums = layer.gates.floats() + slot * s_.Hb * share_.block() + share_.row(t_);
      for (std::int64_t p = begin; p < end; ++p)
        if (l == 0 && s_.cell.takes_x(slot))
          gather_rows(work_.table.floats() + (x + p) * U * W, share_.table_row.data() + t_ * share_.count,
                      sums + p * share_.block(), rows);
        else
          fill_rows(weights.bias.floats() + (slot * s_.Hb + p) * W, sums + p * share_.block(), rows);
      if (l > 0 && s_.cell.takes_x(slot))
        multiply(output(l - 1), weights.x_forward, {x + begin, end - begin},
                 {sums + begin * share_.block(), share_.block(), true});
    }
  }

  /// The state before step t as left factor.
  LeftRows previous(const StreamShare::Layer& layer, std::int64_t t, const PreviousState& h) {
    if (!share_.starts_at(t)) return layer.h_left.rows((t - t_) * share_.count, share_.count);
    share_.h_before_left.bind(s_.format, h.data, h.block, s_.Hb, share_.count);
    share_.h_before_left.update_rows(0, share_.count);
    return share_.h_before_left.rows(0, share_.count);
  }

  /// sums += W_hh h, then the cell: h and c after step t.
  void take_step(std::int64_t l, StreamShare::Layer& layer, std::int64_t t) {
    const PreviousState h = state_before(s_, share_, layer.h, share_.h_before, t);
    const PreviousState c = s_.cell.has_c ? state_before(s_, share_, layer.c, share_.c_before, t) : PreviousState{};
    const LeftRows left = previous(layer, t, h);
    share_.each_range(s_.Hb, s_.cell.slots == 1 ? 4 : 2,
                      [&](std::int64_t begin, std::int64_t end) { take_units(l, layer, t, left, h, c, begin, end); });
  }

  /// Blocks [begin, end) of that.
  void take_units(std::int64_t l, StreamShare::Layer& layer, std::int64_t t, const LeftRows& left,
                  const PreviousState& h, const PreviousState& c, std::int64_t begin, std::int64_t end) {
    const RightMatrix& weights = packed_.layers[l].h_forward;
    // With several slots a product makes the slots of one block of units; with one slot, several blocks.
    const bool one = s_.cell.slots == 1;
    const std::int64_t group = one ? 4 : 1;
    for (std::int64_t p = begin; p < end; p += group) {
      const std::int64_t blocks = std::min(group, end - p), apart = one ? 1 : s_.Hb;
      multiply(left, weights, {p, one ? blocks : s_.cell.h_count, apart},
               {layer.gates.floats() + (s_.cell.h_first * s_.Hb + p) * share_.block() + share_.row(t),
                apart * share_.block(), true});
      for (std::int64_t q = p; q < p + blocks; ++q)
        s_.cell.forward(arrays_of(s_, share_, layer, q, t, h, c), share_.count * W);
    }
    layer.h_left.update(begin, end - begin, (t + 1 - t_) * share_.count, share_.count);
    if (!drops(l)) return;
    for (std::int64_t p = begin; p < end; ++p)
      masks_.after(l, p, t, share_.begin, share_.count, layer.h.floats() + p * share_.state_block() + share_.row(t + 1),
                   layer.out.floats() + p * share_.block() + share_.row(t));
    layer.out_left.update(begin, end - begin, (t - t_) * share_.count, share_.count);
  }

  /// What the decoder reads in this chunk.
  LeftRows decoder_input() {
    const std::int64_t rows = steps_ * share_.count;
    if (!s_.layout.config().sums_layers()) return output(s_.L - 1);
    share_.sum_left.bind(s_.format, share_.sum.floats() + share_.row(t_), share_.block(), s_.Hb, rows);
    share_.each_range(s_.Hb, 2, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        float* sum = share_.sum.floats() + p * share_.block() + share_.row(t_);
        for (std::int64_t l = 0; l < s_.L; ++l) {
          const StreamShare::Layer& layer = share_.layers[l];
          const float* from = drops(l) ? layer.out.floats() + p * share_.block() + share_.row(t_)
                                       : layer.h.floats() + p * share_.state_block() + share_.row(t_ + 1);
          for (std::int64_t i = 0; i < rows * W; ++i) sum[i] = l == 0 ? from[i] : sum[i] + from[i];
        }
      }
      share_.sum_left.update_blocks(begin, end - begin);
    });
    return share_.sum_left.rows(0, rows);
  }

  /// logits = W h + bias, and the loss.
  void decode() {
    const std::int64_t rows = steps_ * share_.count;
    float* logits = share_.logits.floats() + share_.row(t_);
    const LeftRows input = decoder_input();
    share_.each_range(s_.Vb, 2, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p)
        fill_rows(packed_.decoder_bias.floats() + p * W, logits + p * share_.block(), rows);
      multiply(input, packed_.decoder_forward, {begin, end - begin},
               {logits + begin * share_.block(), share_.block(), true});
    });
    share_.each_range(rows, W, [&](std::int64_t begin, std::int64_t end) {
      cross_entropy({.rows = end - begin,
                     .panels = s_.Vb,
                     .logits = logits + begin * W,
                     .panel = share_.block(),
                     .targets = share_.targets.data() + t_ * share_.count + begin,
                     .nats = share_.nats.floats() + t_ * share_.count + begin,
                     .gradient_scale = work_.window.training ? work_.window.gradient_scale : 0});
    });
  }

  const PaddedShape& s_;
  const PackedNetwork& packed_;
  const Workspace& work_;
  StreamShare& share_;
  Masks masks_;
  std::int64_t t_ = 0, steps_ = 0;  ///< the present chunk
};
}  // namespace

/// table = W_ih e(symbol) + biases for each symbol that occurs.
void fill_table(const PaddedShape& s, const PackedNetwork& packed, Workspace& work, ThreadPool& pool) {
  const std::int64_t U = work.symbol_count();
  work.embedded.reserve(s.Eb * U * W);
  for (std::int64_t e = 0; e < s.Eb; ++e)
    for (std::int64_t u = 0; u < U; ++u) {
      float* row = work.embedded.floats() + (e * U + u) * W;
      std::copy_n(packed.encoder.row(e, work.symbols[u]), W, row);
      drop_input(s, work, e, u, row);
    }
  work.table.reserve(s.cell.x_count * s.Hb * U * W);
  const PackedNetwork::Layer& layer = packed.layers[0];
  pool.run_ranges(s.cell.x_count * s.Hb, 4, [&](std::int64_t begin, std::int64_t end) {
    float* table = work.table.floats() + begin * U * W;
    for (std::int64_t p = begin; p < end; ++p)
      fill_rows(layer.bias.floats() + (s.cell.x_first * s.Hb + p) * W, table + (p - begin) * U * W, U);
    multiply(float_rows(work.embedded.floats(), U * W, U), layer.x_forward, {begin, end - begin}, {table, U * W, true});
  });
}

void forward_pass(const PaddedShape& shape, const PackedNetwork& packed, const Workspace& work, StreamShare& share) {
  Forward(shape, packed, work, share).run();
}
}  // namespace charnn
