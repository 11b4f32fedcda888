#include "fast/stepper.h"
#include <algorithm>
#include <cstring>
#include "kernels/elementwise.h"

namespace charnn {
namespace {
StreamFormat format_of_layers(StepWeights kept) {
  return kept == StepWeights::int8   ? StreamFormat::int8
         : kept == StepWeights::bf16 ? StreamFormat::bf16
                                     : StreamFormat::f32;
}

/// It is small beside the layers.
StreamFormat format_of_decoder(StepWeights kept) {
  return kept == StepWeights::bf16 ? StreamFormat::bf16 : StreamFormat::f32;
}

/// Weights that one stream reads for every symbol.
std::int64_t weights_a_step(const PaddedShape& s) { return s.L * (s.cell.x_count + s.cell.h_count) * s.Hp * s.Hp; }

StepWeights resolve(const PaddedShape& s, StepWeights kept) {
  constexpr std::int64_t near = 1 << 19;  // as floats they fill a core's second-level cache
  if (kept != StepWeights::automatic) return kept;
  return weights_a_step(s) > near ? StepWeights::int8 : StepWeights::fp32;
}

/// With few weights, a second thread costs about as much to wake as it saves.
int fastest_threads(const PaddedShape& s) {
  constexpr std::int64_t share = 3 << 17;
  return static_cast<int>(std::clamp<std::int64_t>(weights_a_step(s) / share, 1, available_cpus()));
}
}  // namespace

Stepper::Stepper(const NetworkLayout& layout, std::vector<float> weights, StepWeights kept, int threads)
    : shape_(layout, exact_format(), exact_format()), kept_(resolve(shape_, kept)) {
  pool_ = std::make_unique<ThreadPool>(threads > 0 ? threads : fastest_threads(shape_));
  round_weights(weights.data(), layout, kept_);
  packed_.pack(shape_, weights.data(), /*backward=*/false, *pool_);
  pack_streamed(weights);
  fill_starts();
}

void Stepper::pack_streamed(const std::vector<float>& weights) {
  const PaddedShape& s = shape_;
  const StreamFormat format = format_of_layers(kept_);
  PackedNetwork floats;
  if (s.format != Format::f32)  // padded as it is
    floats.pack(PaddedShape(s.layout, Format::f32, s.format), weights.data(), false, *pool_);
  const PackedNetwork& from = s.format == Format::f32 ? packed_ : floats;
  layers_.resize(static_cast<std::size_t>(s.L));
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    layers_[l].h.pack(from.layers[l].h_forward, s.cell.h_count, s.Hb, s.Hb, format);
    if (l > 0) layers_[l].x.pack(from.layers[l].x_forward, s.cell.x_count, s.Hb, s.Hb, format);
  }
  decoder_.pack(from.decoder_forward, 1, s.Vb, 1, format_of_decoder(kept_));
}

void Stepper::fill_starts() {
  const PaddedShape& s = shape_;
  constexpr std::int64_t largest = 1 << 26;  // floats; beyond, the table's rows are computed when needed
  const std::int64_t unit = s.cell.slots * W;
  biases_.reserve(s.L * s.Hb * unit);
  for (std::int64_t i = 0; i < s.L * s.Hb * s.cell.slots; ++i) {
    const std::int64_t slot = i % s.cell.slots, p = i / s.cell.slots % s.Hb, l = i / s.cell.slots / s.Hb;
    std::copy_n(packed_.layers[l].bias.floats() + (slot * s.Hb + p) * W, W, biases_.floats() + i * W);
  }
  if (s.V * s.Hb * unit > largest) return;
  table_.reserve(s.V * s.Hb * unit);
  const PackedNetwork::Layer& layer = packed_.layers[0];
  pool_->run(s.Hb, [&](std::int64_t p) {
    Buffer sums;  // [slots][V][16]
    sums.reserve(s.cell.slots * s.V * W);
    for (std::int64_t slot = 0; slot < s.cell.slots; ++slot)
      fill_rows(layer.bias.floats() + (slot * s.Hb + p) * W, sums.floats() + slot * s.V * W, s.V);
    multiply(float_rows(packed_.encoder.row(0, 0), packed_.encoder.k() * W, s.V), layer.x_forward,
             {p, s.cell.x_count, s.Hb}, {sums.floats() + s.cell.x_first * s.V * W, s.V * W, true});
    for (std::int64_t v = 0; v < s.V; ++v)
      for (std::int64_t slot = 0; slot < s.cell.slots; ++slot)
        std::copy_n(sums.floats() + (slot * s.V + v) * W, W, table_.floats() + (v * s.Hb + p) * unit + slot * W);
  });
}

void Stepper::reserve(std::int64_t streams) {
  const PaddedShape& s = shape_;
  sums_.reserve(s.cell.slots * s.Hp * streams);
  logits_.reserve(s.Vp * streams);
  sum_.resize(static_cast<std::size_t>(s.Hp * streams));
  sum_left_.bind(s.format, sum_.data(), streams * W, s.Hb, streams);
  left_.resize(static_cast<std::size_t>(2 * s.L));
}

void Stepper::step(State& state, std::span<const std::int64_t> ids, std::vector<float>& logits) {
  const PaddedShape& s = shape_;
  const auto B = static_cast<std::int64_t>(ids.size());
  const std::int64_t layer_size = state.blocks() * B * W;
  reserve(B);
  h_next_.resize(state.h.size());
  if (table_.size() == 0) {
    embedded_.reserve(s.Ep * B);
    for (std::int64_t e = 0; e < s.Eb; ++e)
      for (std::int64_t b = 0; b < B; ++b)
        std::copy_n(packed_.encoder.row(e, ids[b]), W, embedded_.floats() + (e * B + b) * W);
  }
  pool_->run(B > 1 ? s.L : 0, [&](std::int64_t l) {
    LeftMatrix& now = left_[2 * l];
    now.bind(s.format, state.h.data() + l * layer_size, B * W, s.Hb, B);
    now.update_rows(0, B);
    left_[2 * l + 1].bind(s.format, h_next_.data() + l * layer_size, B * W, s.Hb, B);
  });
  for (std::int64_t l = 0; l < s.L; ++l)
    pool_->share_out(s.Hb, layers_[0].h.units_a_group(),
                     [&](std::int64_t begin, std::int64_t end) { take_units(state, l, ids, begin, end); });
  std::swap(state.h, h_next_);
  // One stream's logits are too little work to wake a thread for.
  pool_->share_out(s.Vb, B == 1 ? s.Vb : 1, [&](std::int64_t begin, std::int64_t end) { decode(state, begin, end); });
  logits.resize(static_cast<std::size_t>(B * s.V));
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t v = 0; v < s.V; v += W)
      std::copy_n(logits_.floats() + (v / W * B + b) * W, std::min(W, s.V - v), logits.data() + b * s.V + v);
}

/// What the sums of units [begin, end) of layer l begin with.
void Stepper::begin_sums(std::int64_t l, std::span<const std::int64_t> ids, std::int64_t begin, std::int64_t end) {
  const auto B = static_cast<std::int64_t>(ids.size());
  const std::int64_t slots = shape_.cell.slots, row = shape_.Hb * slots * W;
  for (std::int64_t b = 0; b < B; ++b) {
    const float* start = l == 0 && table_.size() > 0 ? table_.floats() + ids[b] * row : biases_.floats() + l * row;
    if (B == 1)
      std::copy_n(start + begin * slots * W, (end - begin) * slots * W, sums_.floats() + begin * slots * W);
    else
      for (std::int64_t i = begin * slots; i < end * slots; ++i)
        std::memcpy(sums_.floats() + (i * B + b) * W, start + i * W, W * sizeof(float));  // inline, unlike copy_n
  }
}

/// Adds a product to the sums of some slots of units [begin, end).
void Stepper::multiply_units(const LeftRows& left, const RightMatrix& weights, int first_slot, int slots,
                             std::int64_t begin, std::int64_t end) {
  // With several slots a product makes the slots of one block of units; with one slot, several blocks.
  const std::int64_t group = shape_.cell.slots == 1 ? 4 : 1, panel = left.count * W;
  for (std::int64_t p = begin; p < end; p += group)
    multiply(left, weights, group == 1 ? PanelRange{p, slots, shape_.Hb} : PanelRange{p, std::min(group, end - p)},
             {sums_.floats() + (p * shape_.cell.slots + first_slot) * panel, panel, true});
}

/// Units [begin, end) of layer l: h_next_ and c.
void Stepper::take_units(State& state, std::int64_t l, std::span<const std::int64_t> ids, std::int64_t begin,
                         std::int64_t end) {
  const PaddedShape& s = shape_;
  const CellKind& cell = s.cell;
  const auto B = static_cast<std::int64_t>(ids.size());
  const auto layer = static_cast<std::size_t>(l);
  const std::int64_t layer_size = state.blocks() * B * W;
  const float* h_prev = state.h.data() + l * layer_size;
  float* h = h_next_.data() + l * layer_size;
  begin_sums(l, ids, begin, end);
  const PackedNetwork::Layer& packed = packed_.layers[layer];
  if (l == 0 && table_.size() == 0)
    multiply_units(float_rows(embedded_.floats(), B * W, B), packed.x_forward, cell.x_first, cell.x_count, begin, end);
  if (B == 1) {
    const std::int64_t unit = cell.slots * W;
    if (l > 0) layers_[layer].x.multiply(h - layer_size, begin, end - begin, sums_.floats() + cell.x_first * W, unit);
    layers_[layer].h.multiply(h_prev, begin, end - begin, sums_.floats() + cell.h_first * W, unit);
  } else {
    if (l > 0)
      multiply_units(left_[2 * layer - 1].rows(0, B), packed.x_forward, cell.x_first, cell.x_count, begin, end);
    multiply_units(left_[2 * layer].rows(0, B), packed.h_forward, cell.h_first, cell.h_count, begin, end);
  }
  CellArrays arrays;
  for (std::int64_t p = begin; p < end; ++p) {
    for (int slot = 0; slot < cell.slots; ++slot) arrays.slot[slot] = sums_.floats() + (p * cell.slots + slot) * B * W;
    arrays.h_prev = h_prev + p * B * W;
    arrays.h = h + p * B * W;
    if (cell.has_c) arrays.c_prev = arrays.c = state.c.data() + l * layer_size + p * B * W;
    cell.forward(arrays, B * W);
  }
  if (B > 1) left_[2 * layer + 1].update_blocks(begin, end - begin);
  if (l == s.L - 1 && s.layout.config().sums_layers()) sum_layers(B, begin, end);
}

/// Units [begin, end) of what the decoder reads.
void Stepper::sum_layers(std::int64_t streams, std::int64_t begin, std::int64_t end) {
  const std::int64_t block = streams * W;
  for (std::int64_t i = begin * block; i < end * block; ++i) {
    sum_[i] = h_next_[i];
    for (std::int64_t l = 1; l < shape_.L; ++l) sum_[i] += h_next_[l * shape_.Hb * block + i];
  }
  if (streams > 1) sum_left_.update_blocks(begin, end - begin);
}

/// Blocks [begin, end) of the logits.
void Stepper::decode(const State& state, std::int64_t begin, std::int64_t end) {
  const std::int64_t B = state.streams, last = 2 * shape_.L - 1;
  const bool sums = shape_.layout.config().sums_layers();
  for (std::int64_t p = begin; p < end; ++p)
    fill_rows(packed_.decoder_bias.floats() + p * W, logits_.floats() + p * B * W, B);
  if (B == 1)
    decoder_.multiply(sums ? sum_.data() : state.h.data() + (shape_.L - 1) * state.blocks() * W, begin, end - begin,
                      logits_.floats(), W);
  else
    multiply((sums ? sum_left_ : left_[last]).rows(0, B), packed_.decoder_forward, {begin, end - begin},
             {logits_.floats() + begin * B * W, B * W, true});
}
}  // namespace charnn
