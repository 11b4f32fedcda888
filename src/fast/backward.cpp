// The backward pass through a window: gradients by the layers' outputs and by the sums in their gates.
#include "fast/masks.h"
#include "fast/workspace.h"

namespace charnn {
namespace {
class Backward {
 public:
  Backward(const PaddedShape& shape, const PackedNetwork& packed, const Workspace& work, StreamShare& share)
      : s_(shape), packed_(packed), work_(work), share_(share), last_((share.steps - 1) / share.chunk * share.chunk) {}

  void run() {
    for (t_ = last_; t_ >= 0; t_ -= share_.chunk) {
      share_.logits_left.bind(s_.format, share_.logits.floats() + share_.row(t_), share_.block(), s_.Vb, rows());
      share_.logits_left.update_rows(0, rows());
      to_output(s_.L - 1, share_.logits_left.rows(0, rows()), packed_.decoder_backward);
    }
    for (std::int64_t l = s_.L - 1; l >= 0; --l) {
      StreamShare::Layer& layer = share_.layers[l];
      if (s_.cell.has_c) std::fill_n(layer.dc.floats(), share_.count * s_.Hp, 0.0F);
      for (t_ = last_; t_ >= 0; t_ -= share_.chunk) {
        share_.gates_left.bind(s_.format, layer.gates.floats() + share_.row(t_), share_.block(), s_.cell.slots * s_.Hb,
                               rows());
        for (std::int64_t t = t_ + steps() - 1; t >= t_; --t) take_step(l, layer, t);
        if (l > 0)
          to_output(l - 1, share_.gates_left.rows(0, rows(), s_.cell.x_first * s_.Hb), packed_.layers[l].x_backward);
      }
    }
  }

 private:
  std::int64_t steps() const { return std::min(share_.chunk, share_.steps - t_); }
  std::int64_t rows() const { return steps() * share_.count; }
  float* gradient(std::int64_t p, std::int64_t t) {
    return share_.gradient.floats() + p * share_.block() + share_.row(t);
  }

  /// Gradient by the output of layer l in this chunk, from the gradient by what it feeds. It takes the place of the
  /// gradient by the layer above's output, which is not needed any more.
  void to_output(std::int64_t l, const LeftRows& from, const RightMatrix& weights) {
    share_.each_range(s_.Hb, 2, [&](std::int64_t begin, std::int64_t end) { to_output(l, from, weights, begin, end); });
  }
  void to_output(std::int64_t l, const LeftRows& from, const RightMatrix& weights, std::int64_t begin,
                 std::int64_t end) {
    const bool sums = s_.layout.config().sums_layers(), top = l == s_.L - 1;
    // Where the decoder reads the sum of all layers, each of them gets its gradient too.
    const auto copy_sum = [&](const Buffer& source, Buffer& target) {
      for (std::int64_t p = begin; p < end; ++p) {
        const std::int64_t at = p * share_.block() + share_.row(t_);
        std::copy_n(source.floats() + at, rows() * W, target.floats() + at);
      }
    };
    if (sums && !top) copy_sum(share_.sum_gradient, share_.gradient);
    multiply(from, weights, {begin, end - begin}, {gradient(begin, t_), share_.block(), sums && !top});
    if (sums && top) copy_sum(share_.gradient, share_.sum_gradient);
    const Masks masks(s_.layout.config(), work_.window);
    if (masks.rate_after(l) == 0) return;
    for (std::int64_t t = t_; t < t_ + steps(); ++t)
      for (std::int64_t p = begin; p < end; ++p)
        masks.after(l, p, t, share_.begin, share_.count, gradient(p, t), gradient(p, t));
  }

  /// Calls use(16 gradients by the state before step t) for the streams in which a document starts at t.
  template <class Use>
  void each_start(std::int64_t t, Use use) {
    if (!share_.starts_at(t)) return;
    for (const std::int64_t b : share_.starts[t])
      for (std::int64_t p = 0; p < s_.Hb; ++p) use(gradient(p, t - 1) + b * W);
  }

  /// One step back. Where a document starts, nothing flows into the state before it: its gradients are put aside
  /// meanwhile.
  void take_step(std::int64_t l, StreamShare::Layer& layer, std::int64_t t) {
    aside_.clear();
    if (t > 0) each_start(t, [&](const float* g) { aside_.insert(aside_.end(), g, g + W); });
    pass_step(l, layer, t);
    if (t == 0) return;
    const float* from = aside_.data();
    each_start(t, [&](float* g) {
      std::copy_n(from, W, g);
      from += W;
    });
    if (s_.cell.has_c && share_.starts_at(t))
      for (const std::int64_t b : share_.starts[t])
        for (std::int64_t p = 0; p < s_.Hb; ++p) std::fill_n(layer.dc.floats() + (p * share_.count + b) * W, W, 0.0F);
  }

  void pass_step(std::int64_t l, StreamShare::Layer& layer, std::int64_t t) {
    const PreviousState h = state_before(s_, share_, layer.h, share_.h_before, t);
    const PreviousState c = s_.cell.has_c ? state_before(s_, share_, layer.c, share_.c_before, t) : PreviousState{};
    const std::int64_t n = share_.count * W, row = (t - t_) * share_.count;
    share_.each_range(s_.Hb, 2, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        CellArrays arrays = arrays_of(s_, share_, layer, p, t, h, c);
        arrays.dh = gradient(p, t);
        arrays.dh_prev = t > 0 ? gradient(p, t - 1) : nullptr;
        if (s_.cell.has_c) arrays.dc = layer.dc.floats() + p * n;
        s_.cell.backward(arrays, n);
      }
      for (int slot = 0; slot < s_.cell.slots; ++slot)
        share_.gates_left.update(slot * s_.Hb + begin, end - begin, row, share_.count);
    });
    if (t == 0) return;
    const LeftRows gates = share_.gates_left.rows(row, share_.count, s_.cell.h_first * s_.Hb);
    share_.each_range(s_.Hb, 2, [&](std::int64_t begin, std::int64_t end) {
      multiply(gates, packed_.layers[l].h_backward, {begin, end - begin},
               {gradient(begin, t - 1), share_.block(), true});
    });
  }

  const PaddedShape& s_;
  const PackedNetwork& packed_;
  const Workspace& work_;
  StreamShare& share_;
  std::int64_t last_;   ///< first step of the last chunk
  std::int64_t t_ = 0;  ///< first step of the present chunk
  std::vector<float> aside_;
};
}  // namespace

void backward_pass(const PaddedShape& shape, const PackedNetwork& packed, const Workspace& work, StreamShare& share) {
  Backward(shape, packed, work, share).run();
}
}  // namespace charnn
