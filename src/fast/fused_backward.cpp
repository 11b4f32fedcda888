// The way back through a window: gradients by the layers' outputs and by the sums in their gates.
#include <algorithm>

#include "fast/fused_network.h"
#include "kernels/cell_kernels.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;

class Backward {
 public:
  Backward(const NetworkShape& shape, const PackedNetwork& packed, const FusedWindow& window, FusedPart& part)
      : s_(shape),
        packed_(packed),
        window_(window),
        part_(part),
        last_((part.steps - 1) / part.stretch * part.stretch) {}

  void run() {
    for (t_ = last_; t_ >= 0; t_ -= part_.stretch) {
      if (pairs()) pair(part_.logits, part_.logits_pairs, s_.Vb, 0, steps());
      to_output(s_.L - 1, factor(part_.logits, part_.logits_pairs, s_.Vb, 0), packed_.decoder_backward);
    }
    for (std::int64_t l = s_.L - 1; l >= 0; --l) {
      FusedPart::Layer& layer = part_.layers[static_cast<std::size_t>(l)];
      if (s_.config.cell == Cell::lstm) std::fill_n(layer.dc.floats(), part_.count * s_.Hp, 0.0F);
      for (t_ = last_; t_ >= 0; t_ -= part_.stretch) {
        for (std::int64_t t = t_ + steps() - 1; t >= t_; --t) take_step(l, layer, t);
        if (l > 0)
          to_output(l - 1, gates(layer, s_.cell.x_first, t_), packed_.layers[static_cast<std::size_t>(l)].x_backward);
      }
    }
  }

 private:
  bool pairs() const { return s_.format != Format::f32; }
  std::int64_t row(std::int64_t t) const { return t * part_.count * C; }
  std::int64_t block() const { return part_.rows * C; }
  std::int64_t near_block() const { return part_.stretch * part_.count * C; }
  std::int64_t steps() const { return std::min(part_.stretch, part_.steps - t_); }

  /// Pairs `blocks` blocks of `steps` steps, the first of them `at` steps from t_, for products.
  void pair(const Buffer& from, Buffer& to, std::int64_t blocks, std::int64_t at, std::int64_t steps) const {
    to_pairs(s_.format, from.floats() + row(t_ + at), block(), to.pairs() + row(at), near_block(),
             blocks / 2 * near_block(), blocks, steps * part_.count);
  }

  /// Those blocks as factor, from `at` steps after t_ on.
  Factor factor(const Buffer& all, const Buffer& near, std::int64_t blocks, std::int64_t at) const {
    if (!pairs()) return {all.floats() + row(t_ + at), block(), 0};
    return {near.floats() + row(at), near_block(), blocks / 2 * near_block()};
  }

  /// The gates' gradients as factor: slots from `first`, steps from t on.
  Factor gates(const FusedPart::Layer& layer, int first, std::int64_t t) const {
    Factor all = factor(layer.gates, part_.gates_pairs, s_.cell.slots * s_.Hb, t - t_);
    all.data = static_cast<const float*>(all.data) + elements(s_.format, first * s_.Hb) * all.block;
    return all;
  }

  /// Gradient by the output of layer l at the steps at hand, from that by what it feeds. It takes the place of the
  /// gradient by the layer above's output, which has done its work at these steps.
  void to_output(std::int64_t l, const Factor& from, const Panels& weights) {
    Gemm gemm = from.times(weights.gemm(0, s_.Hb), steps() * part_.count);
    gemm.c = part_.gradient.floats() + row(t_);
    gemm.c_panel = block();
    multiply(s_.format, gemm);
    if (!fused::drops(s_, window_)) return;
    for (std::int64_t t = t_; t < t_ + steps(); ++t)
      for (std::int64_t p = 0; p < s_.Hb; ++p) {
        float* gradient = part_.gradient.floats() + p * block() + row(t);
        fused::drop(s_, window_, part_, l, p, t, gradient, gradient);
      }
  }

  /// Calls use(gradients by the state before step t, 16 of them) for the streams in which a document starts at t.
  template <class Use>
  void each_start(std::int64_t t, Use use) {
    if (!part_.starts_at(t)) return;
    for (const std::int64_t b : part_.starts[static_cast<std::size_t>(t)])
      for (std::int64_t p = 0; p < s_.Hb; ++p) use(part_.gradient.floats() + p * block() + row(t - 1) + b * C);
  }

  /// A step back. Where a document starts, the state before it gets nothing from here: its gradients are put aside and
  /// back.
  void take_step(std::int64_t l, FusedPart::Layer& layer, std::int64_t t) {
    aside_.clear();
    if (t > 0) each_start(t, [&](const float* g) { aside_.insert(aside_.end(), g, g + C); });
    pass_step(l, layer, t);
    if (t == 0) return;
    const float* from = aside_.data();
    each_start(t, [&](float* g) {
      std::copy_n(from, C, g);
      from += C;
    });
    if (s_.config.cell == Cell::lstm && part_.starts_at(t))
      for (const std::int64_t b : part_.starts[static_cast<std::size_t>(t)])
        for (std::int64_t p = 0; p < s_.Hb; ++p) std::fill_n(layer.dc.floats() + (p * part_.count + b) * C, C, 0.0F);
  }

  void pass_step(std::int64_t l, FusedPart::Layer& layer, std::int64_t t) {
    h_before_ = fused::state_before(s_, part_, layer.h, part_.h_before, t);
    if (s_.config.cell == Cell::lstm) c_before_ = fused::state_before(s_, part_, layer.c, part_.c_before, t);
    for (std::int64_t p = 0; p < s_.Hb; ++p) differentiate(layer, p, t);
    if (pairs()) pair(layer.gates, part_.gates_pairs, s_.cell.slots * s_.Hb, t - t_, 1);
    if (t == 0) return;
    Gemm gemm = gates(layer, s_.cell.h_first, t)
                    .times(packed_.layers[static_cast<std::size_t>(l)].h_backward.gemm(0, s_.Hb), part_.count);
    gemm.c = part_.gradient.floats() + row(t - 1);
    gemm.c_panel = block();
    gemm.accumulate = true;
    multiply(s_.format, gemm);
  }

  /// From the gradient by the state after step t to that by its sums: block p of the units.
  void differentiate(FusedPart::Layer& layer, std::int64_t p, std::int64_t t) {
    Gates gates{};
    for (int slot = 0; slot < s_.cell.slots; ++slot)
      gates.at[slot] = layer.gates.floats() + (slot * s_.Hb + p) * block() + row(t);
    const std::int64_t n = part_.count * C, state_block = (part_.rows + part_.count) * C;
    const std::int64_t after = p * state_block + row(t + 1);
    float* dh = part_.gradient.floats() + p * block() + row(t);
    switch (s_.config.cell) {
      case Cell::rnn: rnn_backward(gates.at[0], dh, n); break;
      case Cell::gru: gru_backward(gates, h_before_.data + p * h_before_.block, dh, t > 0 ? dh - n : nullptr, n); break;
      case Cell::lstm:
        lstm_backward(gates, c_before_.data + p * c_before_.block, layer.c.floats() + after, dh,
                      layer.dc.floats() + p * n, n);
        break;
    }
  }

  const NetworkShape& s_;
  const PackedNetwork& packed_;
  const FusedWindow& window_;
  FusedPart& part_;
  std::int64_t last_;                          ///< first step of the last stretch
  std::int64_t t_ = 0;                         ///< first step of the stretch at hand
  FusedPart::Before h_before_{}, c_before_{};  ///< of the step at hand
  std::vector<float> aside_;
};

}  // namespace

void fused::backward_part(const NetworkShape& shape, const PackedNetwork& packed, const FusedWindow& window,
                          FusedPart& part) {
  Backward(shape, packed, window, part).run();
}

}  // namespace charnn
