#include "fast/fused_network.h"

#include <algorithm>

#include "kernels/cell_kernels.h"
#include "kernels/vector_kernels.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;

/// Computes each symbol's part of the first layer's sums: W_ih e(symbol) + biases.
void fill_table(const NetworkShape& s, const PackedNetwork& packed, FusedWorkspace& work, ThreadPool& pool) {
  const std::int64_t U = static_cast<std::int64_t>(work.symbols.size());
  work.embedded.reserve(s.Eb * U * C);
  for (std::int64_t e = 0; e < s.Eb; ++e)
    for (std::int64_t u = 0; u < U; ++u)
      std::copy_n(packed.encoder.data.floats() + (e * s.Vp + work.symbols[static_cast<std::size_t>(u)]) * C, C,
                  work.embedded.floats() + (e * U + u) * C);
  work.table.reserve(s.cell.x_count * s.Hb * U * C);
  const PackedNetwork::Layer& layer = packed.layers[0];
  pool.run_ranges(s.cell.x_count * s.Hb, 4, [&](std::int64_t begin, std::int64_t end) {
    float* table = work.table.floats() + begin * U * C;
    for (std::int64_t p = begin; p < end; ++p)
      fill_rows(layer.bias.floats() + (s.cell.x_first * s.Hb + p) * C, table + (p - begin) * U * C, U);
    Gemm gemm = Factor{work.embedded.floats(), U * C, 0}.times(layer.x_forward.gemm(begin, end - begin), U);
    gemm.c = table;
    gemm.c_panel = U * C;
    gemm.accumulate = true;
    gemm_f32(gemm);
  });
}

/// The forward pass of a part.
class Forward {
 public:
  Forward(const NetworkShape& shape, const PackedNetwork& packed, const FusedWorkspace& work, FusedPart& part)
      : s_(shape), packed_(packed), work_(work), part_(part), drops_(fused::drops(shape, work.window)) {}

  void run() {
    // Some steps at a time go through all layers, so that what one layer has written is near when the next reads it.
    for (t_ = 0; t_ < part_.steps; t_ += part_.stretch) {
      steps_ = std::min(part_.stretch, part_.steps - t_);
      for (std::int64_t l = 0; l < s_.L; ++l) {
        FusedPart::Layer& layer = part_.layers[static_cast<std::size_t>(l)];
        start_sums(l, layer);
        if (s_.format != Format::f32) pair(layer.h, state_block(), row(t_), layer.h_pairs, near_block(1), 0);
        for (std::int64_t t = t_; t < t_ + steps_; ++t) take_step(l, layer, t);
      }
      decode();
    }
  }

 private:
  std::int64_t row(std::int64_t t) const { return t * part_.count * C; }
  std::int64_t block() const { return part_.rows * C; }
  std::int64_t state_block() const { return (part_.rows + part_.count) * C; }
  std::int64_t near_block(std::int64_t more) const { return (part_.stretch + more) * part_.count * C; }

  /// Pairs one step's values for products.
  void pair(const Buffer& from, std::int64_t from_block, std::int64_t at, Buffer& to, std::int64_t to_block,
            std::int64_t to_at) const {
    to_pairs(s_.format, from.floats() + at, from_block, to.pairs() + to_at, to_block, s_.Hb / 2 * to_block, s_.Hb,
             part_.count);
  }

  /// The state before step t.
  Factor state(const FusedPart::Layer& layer, std::int64_t t) const {
    if (s_.format == Format::f32) return {layer.h.floats() + row(t), state_block(), 0};
    return {layer.h_pairs.floats() + row(t - t_), near_block(1), s_.Hb / 2 * near_block(1)};
  }

  /// A layer's output at the steps at hand.
  Factor output(const FusedPart::Layer& layer) const {
    if (!drops_) return state(layer, t_ + 1);
    if (s_.format == Format::f32) return {layer.out.floats() + row(t_), block(), 0};
    return {layer.out_pairs.floats(), near_block(0), s_.Hb / 2 * near_block(0)};
  }

  /// What the sums have from the layer's input and its biases.
  void start_sums(std::int64_t l, FusedPart::Layer& layer) {
    const PackedNetwork::Layer& weights = packed_.layers[static_cast<std::size_t>(l)];
    const std::int64_t U = static_cast<std::int64_t>(work_.symbols.size());
    const std::int64_t x_begin = s_.cell.x_first * s_.Hb, x_panels = s_.cell.x_count * s_.Hb;
    for (std::int64_t p = 0; p < s_.cell.slots * s_.Hb; ++p) {
      float* sums = layer.gates.floats() + p * block() + row(t_);
      if (l == 0 && p >= x_begin && p < x_begin + x_panels)
        gather_rows(work_.table.floats() + (p - x_begin) * U * C, part_.table_row.data() + t_ * part_.count, sums,
                    steps_ * part_.count);
      else
        fill_rows(weights.bias.floats() + p * C, sums, steps_ * part_.count);
    }
    if (l == 0) return;
    Gemm gemm = output(part_.layers[static_cast<std::size_t>(l - 1)])
                    .times(weights.x_forward.gemm(0, x_panels), steps_ * part_.count);
    gemm.c = layer.gates.floats() + x_begin * block() + row(t_);
    gemm.c_panel = block();
    gemm.accumulate = true;
    multiply(s_.format, gemm);
  }

  /// The state before step t as factor.
  Factor factor_before(const FusedPart::Layer& layer, std::int64_t t) {
    if (s_.format == Format::f32) return {h_before_.data, h_before_.block, 0};
    if (!part_.starts_at(t)) return state(layer, t);
    const std::int64_t n = part_.count * C, plane = s_.Hb / 2 * n;
    part_.h_before_pairs.reserve(planes(s_.format) * plane);
    to_pairs(s_.format, h_before_.data, n, part_.h_before_pairs.pairs(), n, plane, s_.Hb, part_.count);
    return {part_.h_before_pairs.floats(), n, plane};
  }

  void take_step(std::int64_t l, FusedPart::Layer& layer, std::int64_t t) {
    h_before_ = fused::state_before(s_, part_, layer.h, part_.h_before, t);
    if (s_.config.cell == Cell::lstm) c_before_ = fused::state_before(s_, part_, layer.c, part_.c_before, t);
    const Factor before = factor_before(layer, t);
    const Panels& weights = packed_.layers[static_cast<std::size_t>(l)].h_forward;
    // With several slots a product makes the slots of one block of units; with one slot, several blocks.
    const bool one = s_.cell.slots == 1;
    const std::int64_t group = one ? 4 : 1;
    for (std::int64_t p = 0; p < s_.Hb; p += group) {
      const std::int64_t blocks = std::min(group, s_.Hb - p), apart = one ? 1 : s_.Hb;
      Gemm gemm = before.times(weights.gemm(p, one ? blocks : s_.cell.h_count, apart), part_.count);
      gemm.c = layer.gates.floats() + (s_.cell.h_first * s_.Hb + p) * block() + row(t);
      gemm.c_panel = apart * block();
      gemm.accumulate = true;
      multiply(s_.format, gemm);
      for (std::int64_t q = p; q < p + blocks; ++q) activate(layer, q, t);
    }
    if (s_.format != Format::f32)
      pair(layer.h, state_block(), row(t + 1), layer.h_pairs, near_block(1), row(t + 1 - t_));
    if (!drops_) return;
    for (std::int64_t p = 0; p < s_.Hb; ++p)
      fused::drop(s_, work_.window, part_, l, p, t, layer.h.floats() + p * state_block() + row(t + 1),
                  layer.out.floats() + p * block() + row(t));
    if (s_.format != Format::f32) pair(layer.out, block(), row(t), layer.out_pairs, near_block(0), row(t - t_));
  }

  /// From sums to gates and the new state: block p of the units, step t.
  void activate(FusedPart::Layer& layer, std::int64_t p, std::int64_t t) {
    Gates gates{};
    for (int slot = 0; slot < s_.cell.slots; ++slot)
      gates.at[slot] = layer.gates.floats() + (slot * s_.Hb + p) * block() + row(t);
    const std::int64_t n = part_.count * C;
    const std::int64_t after = p * state_block() + row(t + 1);
    float* h = layer.h.floats();
    switch (s_.config.cell) {
      case Cell::rnn: rnn_forward(gates.at[0], h + after, n); break;
      case Cell::gru: gru_forward(gates, h_before_.data + p * h_before_.block, h + after, n); break;
      case Cell::lstm:
        lstm_forward(gates, c_before_.data + p * c_before_.block, layer.c.floats() + after, h + after, n);
        break;
    }
  }

  void decode() {
    const std::int64_t rows = steps_ * part_.count;
    for (std::int64_t p = 0; p < s_.Vb; ++p)
      fill_rows(packed_.decoder_bias.floats() + p * C, part_.logits.floats() + p * block() + row(t_), rows);
    Gemm gemm = output(part_.layers.back()).times(packed_.decoder_forward.gemm(0, s_.Vb), rows);
    gemm.c = part_.logits.floats() + row(t_);
    gemm.c_panel = block();
    gemm.accumulate = true;
    multiply(s_.format, gemm);
    if (work_.window.targets == nullptr) return;
    cross_entropy({.rows = rows,
                   .panels = s_.Vb,
                   .logits = part_.logits.floats() + row(t_),
                   .panel = block(),
                   .targets = part_.targets.data() + t_ * part_.count,
                   .nats = part_.nats.floats() + t_ * part_.count,
                   .gradient_scale = work_.window.training ? work_.window.gradient_scale : 0});
  }

  const NetworkShape& s_;
  const PackedNetwork& packed_;
  const FusedWorkspace& work_;
  FusedPart& part_;
  bool drops_;
  std::int64_t t_ = 0, steps_ = 0;             ///< the steps at hand
  FusedPart::Before h_before_{}, c_before_{};  ///< of the step at hand
};

}  // namespace

bool fused::drops(const NetworkShape& shape, const FusedWindow& window) {
  return window.training && shape.config.dropout > 0;
}

void fused::drop(const NetworkShape& shape, const FusedWindow& window, const FusedPart& part, std::int64_t layer,
                 std::int64_t p, std::int64_t t, const float* in, float* out) {
  // A seed of its own for every layer (multiples of the golden ratio lie far apart), and an index that does not depend
  // on how streams are shared out.
  const std::uint64_t seed = window.dropout_seed + static_cast<std::uint64_t>(layer) * 0x9e3779b97f4a7c15U;
  const std::int64_t first = (p * window.steps + t) * window.streams + part.begin;
  dropout(in, out, part.count * C, shape.config.dropout, seed, static_cast<std::uint32_t>(first * C));
}

FusedNetwork::FusedNetwork(const ModelConfig& config, std::int64_t vocabulary_size, Format format, ThreadPool& pool)
    : shape_(config, vocabulary_size, format), pool_(pool) {}

void FusedNetwork::take(const std::vector<torch::Tensor>& weights, bool backward) {
  std::vector<std::pair<const void*, std::int64_t>> now;
  now.reserve(weights.size());
  for (const torch::Tensor& weight : weights) now.emplace_back(weight.data_ptr(), weight._version());
  if (now == seen_ && (seen_backward_ || !backward)) return;
  packed_.pack(shape_, weights, backward, pool_);
  seen_ = std::move(now);
  seen_backward_ = backward;
}

void FusedNetwork::forward(const FusedWindow& window, State& state, FusedWorkspace& work) const {
  work.window = window;
  fused::share_out(shape_, work, pool_.size());
  fused::number_symbols(shape_, work);
  fused::find_starts(work);
  fill_table(shape_, packed_, work, pool_);
  fused::load_state(shape_, state.h, work, &FusedPart::Layer::h);
  if (state.c.defined()) fused::load_state(shape_, state.c, work, &FusedPart::Layer::c);
  pool_.run(static_cast<std::int64_t>(work.parts.size()),
            [&](std::int64_t i) { Forward(shape_, packed_, work, work.parts[static_cast<std::size_t>(i)]).run(); });
  state.h = fused::store_state(shape_, work, &FusedPart::Layer::h);
  if (state.c.defined()) state.c = fused::store_state(shape_, work, &FusedPart::Layer::c);
}

void FusedNetwork::backward(FusedWorkspace& work, const std::vector<torch::Tensor>& gradients) const {
  pool_.run(static_cast<std::int64_t>(work.parts.size()), [&](std::int64_t i) {
    fused::backward_part(shape_, packed_, work.window, work.parts[static_cast<std::size_t>(i)]);
  });
  fused::weight_gradients(shape_, packed_, work, gradients, pool_);
}

}  // namespace charnn
