#include "fast/stepper.h"

#include <algorithm>
#include <bit>

#include "fast/fused_network.h"
#include "kernels/gemv.h"
#include "kernels/vector_kernels.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;
constexpr int max_panels = 8;  ///< of a group

std::vector<torch::Tensor> plain_weights(const CharRnn& model, StepWeights weights) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> plain;
  for (const auto& [name, tensor] : model.weights()) {
    torch::Tensor weight = tensor.detach().to(torch::kCPU, torch::kFloat).contiguous();
    if (weights == StepWeights::bf16) weight = weight.to(torch::kBFloat16).to(torch::kFloat);
    plain.push_back(weight);
  }
  return plain;
}

/// The upper half of a float that is a bfloat16 already.
std::uint16_t upper_half(float value) { return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16); }

/// Bytes that one stream reads for every symbol.
std::int64_t bytes_a_step(const NetworkShape& s, StepWeights weights) {
  const std::int64_t per_layer = (s.cell.x_count + s.cell.h_count) * s.Hp * s.Hp;
  return s.L * per_layer * (weights == StepWeights::bf16 ? 2 : 4);
}

StepWeights resolve(const NetworkShape& s, StepWeights weights) {
  constexpr std::int64_t cache = 1 << 22;  // two cores' second-level caches, about
  if (weights != StepWeights::automatic) return weights;
  return bytes_a_step(s, StepWeights::fp32) > cache ? StepWeights::bf16 : StepWeights::fp32;
}

/// Where a core's cache holds the weights, a second thread costs about as much to wake as it saves.
int fastest_threads(const NetworkShape& s, StepWeights weights) {
  constexpr std::int64_t share = 1 << 20;
  return static_cast<int>(std::clamp<std::int64_t>(bytes_a_step(s, weights) / share, 1, available_cpus()));
}

}  // namespace

void Stepper::Rows::fill(const Panels& panels, std::int64_t rows_a_unit, std::int64_t unit_count, std::int64_t apart,
                         StepWeights kind) {
  weights = kind;
  k = panels.k;
  units = unit_count;
  panels_a_unit = rows_a_unit;
  units_a_group = max_panels / panels_a_unit;
  data.reserve(k * units * panels_a_unit * C);
  const float* from = panels.data.floats();
  std::int64_t out = 0;
  for (std::int64_t u = 0; u < units; u += units_a_group)
    for (std::int64_t i = 0; i < k; ++i)
      for (std::int64_t v = u; v < std::min(u + units_a_group, units); ++v)
        for (std::int64_t p = 0; p < panels_a_unit; ++p)
          for (std::int64_t j = 0; j < C; ++j, ++out) {
            const float value = from[((p * apart + v) * k + i) * C + j];
            if (weights == StepWeights::fp32)
              data.floats()[out] = value;
            else
              reinterpret_cast<std::uint16_t*>(data.floats())[out] = upper_half(value);
          }
}

Stepper::Stepper(const CharRnn& model, StepWeights asked, int threads)
    : shape_(model.config(), model.vocabulary_size(), exact_format()), weights_(resolve(shape_, asked)) {
  const StepWeights weights = weights_;
  pool_ = std::make_unique<ThreadPool>(threads > 0 ? threads : fastest_threads(shape_, weights));
  const NetworkShape& s = shape_;
  const auto plain = plain_weights(model, weights);
  packed_.pack(s, plain, /*backward=*/false, *pool_);
  NetworkShape floats(model.config(), model.vocabulary_size(), Format::f32);
  // The same padding as for many streams, whatever the format there.
  floats.Hp = s.Hp, floats.Hb = s.Hb, floats.Vp = s.Vp, floats.Vb = s.Vb;
  PackedNetwork alone;
  alone.pack(floats, plain, /*backward=*/false, *pool_);
  for (const PackedNetwork::Layer& layer : alone.layers) {
    layers_.emplace_back();
    layers_.back().h.fill(layer.h_forward, s.cell.h_count, s.Hb, s.Hb, weights);
    if (layers_.size() > 1) layers_.back().x.fill(layer.x_forward, s.cell.x_count, s.Hb, s.Hb, weights);
  }
  decoder_.fill(alone.decoder_forward, 1, s.Vb, 1, weights);

  const std::int64_t slots = s.cell.slots, unit = slots * C, row = s.Hb * unit;
  bias_.reserve(s.L * row);
  for (std::int64_t l = 0; l < s.L; ++l)
    for (std::int64_t p = 0; p < s.Hb; ++p)
      for (std::int64_t slot = 0; slot < slots; ++slot)
        std::copy_n(packed_.layers[static_cast<std::size_t>(l)].bias.floats() + slot * s.Hp + p * C, C,
                    bias_.floats() + l * row + p * unit + slot * C);
  constexpr std::int64_t largest_table = 1 << 26;  // floats; beyond, sums are computed when needed
  if (s.V * row > largest_table) return;
  table_.reserve(s.V * row);
  pool_->run(s.Hb, [&](std::int64_t p) {
    for (std::int64_t v = 0; v < s.V; ++v) start_unit(v, p, table_.floats() + v * row + p * unit);
  });
}

void Stepper::start_unit(std::int64_t id, std::int64_t p, float* sums) const {
  const NetworkShape& s = shape_;
  const std::int64_t unit = s.cell.slots * C;
  std::copy_n(bias_.floats() + p * unit, unit, sums);
  for (std::int64_t slot = 0; slot < s.cell.x_count; ++slot)
    for (std::int64_t e = 0; e < s.E; ++e) {
      const float x = packed_.encoder.data.floats()[(e / C * s.Vp + id) * C + e % C];
      const float* weight = packed_.layers[0].x_forward.data.floats() + ((slot * s.Hb + p) * s.Ep + e) * C;
      for (std::int64_t j = 0; j < C; ++j) sums[(s.cell.x_first + slot) * C + j] += x * weight[j];
    }
}

const float* Stepper::start_of(std::int64_t l, std::int64_t id, float* memory) const {
  const std::int64_t unit = shape_.cell.slots * C, row = shape_.Hb * unit;
  if (l > 0) return bias_.floats() + l * row;
  if (table_.size() > 0) return table_.floats() + id * row;
  for (std::int64_t p = 0; p < shape_.Hb; ++p) start_unit(id, p, memory + p * unit);
  return memory;
}

void Stepper::step(StepState& state, std::span<const std::int64_t> ids, std::vector<float>& logits) const {
  const std::int64_t V = shape_.V;
  logits.resize(static_cast<std::size_t>(state.streams_ * V));
  if (state.streams_ == 1) {
    step_alone(state.parts_[0], ids[0]);
    std::copy_n(state.parts_[0].logits.floats(), V, logits.data());
    return;
  }
  pool_->run(static_cast<std::int64_t>(state.parts_.size()), [&](std::int64_t i) {
    StepState::Part& part = state.parts_[static_cast<std::size_t>(i)];
    step_together(part, ids.subspan(static_cast<std::size_t>(part.begin), static_cast<std::size_t>(part.count)));
    for (std::int64_t b = 0; b < part.count; ++b)
      for (std::int64_t v = 0; v < V; v += C)
        std::copy_n(part.logits.floats() + (v / C * part.count + b) * C, std::min(C, V - v),
                    logits.data() + (part.begin + b) * V + v);
  });
}

void Stepper::activate(StepState::Part& part, std::size_t l, const Gates& gates, std::int64_t at,
                       std::int64_t n) const {
  switch (shape_.config.cell) {
    case Cell::rnn: return rnn_forward(gates.at[0], part.h_next[l].floats() + at, n);
    case Cell::gru: return gru_forward(gates, part.h[l].floats() + at, part.h_next[l].floats() + at, n);
    case Cell::lstm:
      return lstm_forward(gates, part.c[l].floats() + at, part.c[l].floats() + at, part.h_next[l].floats() + at, n);
  }
}

void Stepper::multiply_alone(const Rows& rows, std::int64_t first_unit, std::int64_t units, const float* x, float* sums,
                             std::int64_t unit_stride) const {
  const std::int64_t bytes = rows.weights == StepWeights::bf16 ? 2 : 4;
  for (std::int64_t u = first_unit; u < first_unit + units; u += rows.units_a_group) {
    Gemv g{static_cast<const char*>(static_cast<const void*>(rows.data.floats())) +
               u * rows.panels_a_unit * rows.k * C * bytes,
           rows.weights == StepWeights::bf16,
           x,
           rows.k,
           0,
           {}};
    for (std::int64_t v = u; v < std::min(u + rows.units_a_group, rows.units); ++v)
      for (std::int64_t p = 0; p < rows.panels_a_unit; ++p) g.sums[g.panels++] = sums + v * unit_stride + p * C;
    gemv(g);
  }
}

void Stepper::step_alone(StepState::Part& part, std::int64_t id) const {
  const NetworkShape& s = shape_;
  const std::int64_t unit = s.cell.slots * C;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    const float* start = start_of(static_cast<std::int64_t>(l), id, part.start.floats());
    // Each thread makes the sums and the state of its own units.
    const std::int64_t group = layer.h.units_a_group, groups = (s.Hb + group - 1) / group;
    const std::int64_t shares = std::min<std::int64_t>(pool_->size(), groups);
    pool_->run(shares, [&](std::int64_t i) {
      const std::int64_t begin = groups * i / shares * group;
      const std::int64_t end = std::min(groups * (i + 1) / shares * group, s.Hb);
      float* sums = part.sums.floats();
      std::copy_n(start + begin * unit, (end - begin) * unit, sums + begin * unit);
      if (l > 0)
        multiply_alone(layer.x, begin, end - begin, part.h_next[l - 1].floats(), sums + s.cell.x_first * C, unit);
      multiply_alone(layer.h, begin, end - begin, part.h[l].floats(), sums + s.cell.h_first * C, unit);
      for (std::int64_t p = begin; p < end; ++p) {
        Gates gates{};
        for (int slot = 0; slot < s.cell.slots; ++slot) gates.at[slot] = sums + p * unit + slot * C;
        activate(part, l, gates, p * C, C);
      }
    });
  }
  std::swap(part.h, part.h_next);
  std::copy_n(packed_.decoder_bias.floats(), s.Vp, part.logits.floats());
  const FlushDenormals flush;
  multiply_alone(decoder_, 0, s.Vb, part.h.back().floats(), part.logits.floats(), C);
}

void Stepper::step_together(StepState::Part& part, std::span<const std::int64_t> ids) const {
  const NetworkShape& s = shape_;
  const std::int64_t n = part.count, block = n * C, unit = s.cell.slots * C;
  const bool pairs = s.format != Format::f32;
  const auto factor = [&](std::size_t l, const std::vector<Buffer>& floats) -> Factor {
    if (!pairs) return {floats[l].floats(), block, 0};
    return {part.h_pairs[l].floats(), block, s.Hb / 2 * block};
  };
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const PackedNetwork::Layer& weights = packed_.layers[l];
    for (std::int64_t b = 0; b < n; ++b) {
      const float* start =
          start_of(static_cast<std::int64_t>(l), ids[static_cast<std::size_t>(b)], part.start.floats());
      for (std::int64_t p = 0; p < s.Hb; ++p)
        for (std::int64_t slot = 0; slot < s.cell.slots; ++slot)
          std::copy_n(start + p * unit + slot * C, C, part.sums.floats() + ((slot * s.Hb + p) * n + b) * C);
    }
    const auto add = [&](const Factor& a, const Panels& b, std::int64_t first, std::int64_t count) {
      Gemm gemm = a.times(b.gemm(0, count * s.Hb), n);
      gemm.c = part.sums.floats() + first * s.Hb * block;
      gemm.c_panel = block;
      gemm.accumulate = true;
      multiply(s.format, gemm);
    };
    if (l > 0) add(factor(l - 1, part.h_next), weights.x_forward, s.cell.x_first, s.cell.x_count);
    add(factor(l, part.h), weights.h_forward, s.cell.h_first, s.cell.h_count);
    Gates gates{};
    for (int slot = 0; slot < s.cell.slots; ++slot) gates.at[slot] = part.sums.floats() + slot * s.Hb * block;
    activate(part, l, gates, 0, s.Hb * block);
    if (pairs)
      to_pairs(s.format, part.h_next[l].floats(), block, part.h_pairs[l].pairs(), block, s.Hb / 2 * block, s.Hb, n);
  }
  std::swap(part.h, part.h_next);
  for (std::int64_t p = 0; p < s.Vb; ++p)
    fill_rows(packed_.decoder_bias.floats() + p * C, part.logits.floats() + p * block, n);
  Gemm gemm = factor(layers_.size() - 1, part.h).times(packed_.decoder_forward.gemm(0, s.Vb), n);
  gemm.c = part.logits.floats();
  gemm.c_panel = block;
  gemm.accumulate = true;
  multiply(s.format, gemm);
}

}  // namespace charnn
