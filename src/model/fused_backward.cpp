// The way back through a window: gradients by the layers' outputs and by the sums in their gates.
#include <algorithm>

#include "charnn/model/cell_kernels.h"
#include "charnn/model/fused_network.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;

/// The backward pass of streams [begin, end).
class BackwardStreams {
 public:
  BackwardStreams(const NetworkShape& shape, const PackedNetwork& packed, FusedWorkspace& work, std::int64_t begin,
                  std::int64_t end)
      : s_(shape), packed_(packed), work_(work), begin_(begin), count_(end - begin) {}

  void run() {
    const bool bf16 = s_.precision == Precision::bf16;
    if (bf16)
      for (std::int64_t t = 0; t < work_.steps; ++t)
        to_operand(work_.logits.floats() + row(t) * C, block(), work_.logits_operand.pairs() + row(t) * C, block(),
                   s_.Vb, count_);
    to_output(s_.L - 1, {bf16 ? work_.logits_operand.floats() : work_.logits.floats(), block()}, s_.Vp,
              packed_.decoder_backward);
    for (std::int64_t l = s_.L - 1; l >= 0; --l) {
      FusedWorkspace::Layer& layer = work_.layers[static_cast<std::size_t>(l)];
      if (s_.config.cell == Cell::lstm)
        for (std::int64_t p = 0; p < s_.Hb; ++p)
          std::fill_n(layer.dc.floats() + (p * work_.streams + begin_) * C, count_ * C, 0.0F);
      for (std::int64_t t = work_.steps - 1; t >= 0; --t) take_step(l, t);
      if (l == 0) break;
      const PackedNetwork::Layer& weights = packed_.layers[static_cast<std::size_t>(l)];
      to_output(l - 1, gates_operand(layer, s_.cell.x_first), s_.cell.x_count * s_.Hp, weights.x_backward);
    }
  }

 private:
  std::int64_t row(std::int64_t t) const { return t * work_.streams + begin_; }
  std::int64_t block() const { return work_.rows * C; }

  /// The gates' gradients from slot `first` on, as factor of a product.
  fused::Operand gates_operand(const FusedWorkspace::Layer& layer, int first) const {
    const float* data = s_.precision == Precision::bf16 ? layer.gates_operand.floats() : layer.gates.floats();
    return {data + elements(s_.precision, first * s_.Hb) * block(), block()};
  }

  /// Gradient by the output of layer l, from that by what it feeds: all steps, k columns.
  void to_output(std::int64_t l, const fused::Operand& from, std::int64_t k, const Buffer& panels) {
    FusedWorkspace::Layer& layer = work_.layers[static_cast<std::size_t>(l)];
    const std::int64_t k_elements = elements(s_.precision, k);
    fused::over_steps(s_.precision,
                      {.k = k_elements,
                       .panels = s_.Hb,
                       .b = panels.floats(),
                       .b_panel = k_elements * C,
                       .c = layer.gradient.floats(),
                       .c_panel = block()},
                      from, row(0), row(0), count_, work_.streams, work_.steps);
    if (!fused::drops(s_, work_)) return;
    for (std::int64_t t = 0; t < work_.steps; ++t)
      for (std::int64_t p = 0; p < s_.Hb; ++p) {
        float* gradient = layer.gradient.floats() + p * block() + row(t) * C;
        fused::drop(s_, work_, l, gradient, gradient, p, row(t), count_);
      }
  }

  void take_step(std::int64_t l, std::int64_t t) {
    FusedWorkspace::Layer& layer = work_.layers[static_cast<std::size_t>(l)];
    for (std::int64_t p = 0; p < s_.Hb; ++p) differentiate(layer, p, t);
    if (s_.precision == Precision::bf16)
      to_operand(layer.gates.floats() + row(t) * C, block(), layer.gates_operand.pairs() + row(t) * C, block(),
                 s_.cell.slots * s_.Hb, count_);
    if (t == 0) return;
    const fused::Operand gates = gates_operand(layer, s_.cell.h_first);
    const std::int64_t k = elements(s_.precision, s_.cell.h_count * s_.Hp);
    multiply(s_.precision, {.m = count_,
                            .k = k,
                            .panels = s_.Hb,
                            .a = gates.data + row(t) * C,
                            .a_block = gates.block,
                            .b = packed_.layers[static_cast<std::size_t>(l)].h_backward.floats(),
                            .b_panel = k * C,
                            .c = layer.gradient.floats() + row(t - 1) * C,
                            .c_panel = block(),
                            .accumulate = true});
  }

  /// From the gradient by the state after step t to that by its sums: block p of the units.
  void differentiate(FusedWorkspace::Layer& layer, std::int64_t p, std::int64_t t) {
    const Gates gates = fused::gates_at(s_, work_, layer, p, row(t));
    const std::int64_t n = count_ * C;
    const std::int64_t state_block = (work_.rows + work_.streams) * C;
    const std::int64_t before = p * state_block + row(t) * C, after = p * state_block + row(t + 1) * C;
    float* dh = layer.gradient.floats() + p * block() + row(t) * C;
    switch (s_.config.cell) {
      case Cell::rnn:
        rnn_backward(gates.at[0], dh, n);
        break;
      case Cell::gru:
        gru_backward(gates, layer.h.floats() + before, dh, t > 0 ? dh - work_.streams * C : nullptr, n);
        break;
      case Cell::lstm:
        lstm_backward(gates, layer.c.floats() + before, layer.c.floats() + after, dh,
                      layer.dc.floats() + (p * work_.streams + begin_) * C, n);
        break;
    }
  }

  const NetworkShape& s_;
  const PackedNetwork& packed_;
  FusedWorkspace& work_;
  std::int64_t begin_, count_;
};

}  // namespace

void FusedNetwork::backward(FusedWorkspace& work, const std::vector<torch::Tensor>& gradients) const {
  const NetworkShape& s = shape_;
  const bool bf16 = s.precision == Precision::bf16;
  for (FusedWorkspace::Layer& layer : work.layers) {
    layer.gradient.reserve(work.rows * s.Hp);
    if (s.config.cell == Cell::lstm) layer.dc.reserve(work.streams * s.Hp);
    if (bf16) layer.gates_operand.reserve(s.cell.slots * work.rows * s.Hp / 2);
  }
  if (bf16) work.logits_operand.reserve(work.rows * s.Vp / 2);
  fused::share_streams(pool_, work.streams, [&](std::int64_t begin, std::int64_t end) {
    BackwardStreams(s, packed_, work, begin, end).run();
  });
  fused::weight_gradients(s, packed_, work, gradients, pool_);
}

}  // namespace charnn
