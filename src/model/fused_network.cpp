#include "charnn/model/fused_network.h"

#include <algorithm>

#include <fmt/format.h>

#include "charnn/base/error.h"
#include "charnn/model/cell_kernels.h"
#include "charnn/model/vector_kernels.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;

/// Finds the symbols that occur and computes their part of the first layer's sums: W_ih e(symbol) + biases.
void fill_table(const NetworkShape& s, const PackedNetwork& packed, FusedWorkspace& work, ThreadPool& pool) {
  const FusedWindow& window = work.window;
  work.table_row.resize(static_cast<std::size_t>(s.V), -1);
  work.symbols.clear();
  for (std::int64_t r = 0; r < work.rows; ++r) {
    const std::int64_t id = window.ids[r];
    if (id < 0 || id >= s.V)
      fail_input(fmt::format("symbol {}", id), fmt::format("one of the {} of the vocabulary", s.V), "");
    std::int64_t& row = work.table_row[static_cast<std::size_t>(id)];
    if (row >= 0) continue;
    row = static_cast<std::int64_t>(work.symbols.size());
    work.symbols.push_back(id);
  }
  const std::int64_t U = static_cast<std::int64_t>(work.symbols.size());
  work.table_index.resize(static_cast<std::size_t>(work.rows));
  for (std::int64_t r = 0; r < work.rows; ++r)
    work.table_index[static_cast<std::size_t>(r)] =
        static_cast<std::int32_t>(work.table_row[static_cast<std::size_t>(window.ids[r])]);
  for (const std::int64_t id : work.symbols) work.table_row[static_cast<std::size_t>(id)] = -1;

  work.embedded.reserve(s.Eb * U * C);
  for (std::int64_t e = 0; e < s.Eb; ++e)
    for (std::int64_t u = 0; u < U; ++u)
      std::copy_n(packed.encoder.floats() + (e * s.Vp + work.symbols[static_cast<std::size_t>(u)]) * C, C,
                  work.embedded.floats() + (e * U + u) * C);
  Buffer& table = work.layers[0].table;
  table.reserve(s.cell.x_count * s.Hb * U * C);
  const PackedNetwork::Layer& layer = packed.layers[0];
  pool.run_ranges(s.cell.x_count * s.Hb, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      fill_rows(layer.bias.floats() + (s.cell.x_first * s.Hb + p) * C, table.floats() + p * U * C, U);
    gemm_f32({.m = U,
              .k = s.Ep,
              .panels = end - begin,
              .a = work.embedded.floats(),
              .a_block = U * C,
              .b = layer.x_forward.floats() + begin * s.Ep * C,
              .b_panel = s.Ep * C,
              .c = table.floats() + begin * U * C,
              .c_panel = U * C,
              .accumulate = true});
  });
}

/// The forward pass of streams [begin, end).
class ForwardStreams {
 public:
  ForwardStreams(const NetworkShape& shape, const PackedNetwork& packed, FusedWorkspace& work, std::int64_t begin,
                 std::int64_t end)
      : s_(shape), packed_(packed), work_(work), begin_(begin), count_(end - begin) {}

  void run() {
    // Some steps at a time go through all layers, so that what one layer has written is near when the next reads it.
    constexpr std::int64_t rows_at_a_time = 256;
    const std::int64_t stretch = std::max<std::int64_t>(1, rows_at_a_time / count_);
    for (std::int64_t t = 0; t < work_.steps; t += stretch) {
      const std::int64_t end = std::min(t + stretch, work_.steps);
      for (std::int64_t l = 0; l < s_.L; ++l) {
        start_sums(l, t, end);
        for (std::int64_t step = t; step < end; ++step) take_step(l, step);
      }
      decode(t, end);
    }
  }

 private:
  std::int64_t row(std::int64_t t) const { return t * work_.streams + begin_; }
  std::int64_t block() const { return work_.rows * C; }
  std::int64_t state_block() const { return (work_.rows + work_.streams) * C; }

  /// What the sums of steps [t, end) have from the layer's input and its biases.
  void start_sums(std::int64_t l, std::int64_t t, std::int64_t end) {
    FusedWorkspace::Layer& layer = work_.layers[static_cast<std::size_t>(l)];
    const PackedNetwork::Layer& weights = packed_.layers[static_cast<std::size_t>(l)];
    const std::int64_t U = static_cast<std::int64_t>(work_.symbols.size());
    const std::int64_t x_begin = s_.cell.x_first * s_.Hb, x_end = x_begin + s_.cell.x_count * s_.Hb;
    for (std::int64_t p = 0; p < s_.cell.slots * s_.Hb; ++p)
      for (std::int64_t step = t; step < end; ++step) {
        float* sums = layer.gates.floats() + p * block() + row(step) * C;
        if (l == 0 && p >= x_begin && p < x_end)
          gather_rows(layer.table.floats() + (p - x_begin) * U * C, work_.table_index.data() + row(step), sums, count_);
        else
          fill_rows(weights.bias.floats() + p * C, sums, count_);
      }
    if (l == 0) return;
    const std::int64_t k = elements(s_.precision, s_.Hp);
    fused::over_steps(s_.precision,
                      {.k = k,
                       .panels = x_end - x_begin,
                       .b = weights.x_forward.floats(),
                       .b_panel = k * C,
                       .c = layer.gates.floats() + x_begin * block(),
                       .c_panel = block(),
                       .accumulate = true},
                      fused::output_operand(s_, work_, l - 1), row(t), row(t), count_, work_.streams, end - t);
  }

  void take_step(std::int64_t l, std::int64_t t) {
    FusedWorkspace::Layer& layer = work_.layers[static_cast<std::size_t>(l)];
    const PackedNetwork::Layer& weights = packed_.layers[static_cast<std::size_t>(l)];
    const bool bf16 = s_.precision == Precision::bf16;
    const std::int64_t k = elements(s_.precision, s_.Hp);
    const std::int64_t before = row(t) * C, after = row(t + 1) * C;
    const float* h_operand = bf16 ? layer.h_operand.floats() : layer.h.floats();
    // With several slots the product makes the slots of one block of units; with one, several blocks.
    const std::int64_t group = s_.cell.slots == 1 ? 4 : 1;
    for (std::int64_t p = 0; p < s_.Hb; p += group) {
      const std::int64_t blocks = std::min(group, s_.Hb - p);
      const std::int64_t apart = s_.cell.slots == 1 ? 1 : s_.Hb;
      multiply(s_.precision, {.m = count_,
                              .k = k,
                              .panels = s_.cell.slots == 1 ? blocks : s_.cell.h_count,
                              .a = h_operand + before,
                              .a_block = state_block(),
                              .b = weights.h_forward.floats() + p * k * C,
                              .b_panel = apart * k * C,
                              .c = layer.gates.floats() + (s_.cell.h_first * s_.Hb + p) * block() + row(t) * C,
                              .c_panel = apart * block(),
                              .accumulate = true});
      for (std::int64_t q = p; q < p + blocks; ++q) activate(layer, q, t);
    }
    if (bf16)
      to_operand(layer.h.floats() + after, state_block(), layer.h_operand.pairs() + after, state_block(), s_.Hb,
                 count_);
    if (!fused::drops(s_, work_)) return;
    for (std::int64_t p = 0; p < s_.Hb; ++p)
      fused::drop(s_, work_, l, layer.h.floats() + p * state_block() + after,
                  layer.out.floats() + p * block() + row(t) * C, p, row(t), count_);
    if (bf16)
      to_operand(layer.out.floats() + row(t) * C, block(), layer.out_operand.pairs() + row(t) * C, block(), s_.Hb,
                 count_);
  }

  /// From sums to gates and the new state: block p of the units, step t.
  void activate(FusedWorkspace::Layer& layer, std::int64_t p, std::int64_t t) {
    const Gates gates = fused::gates_at(s_, work_, layer, p, row(t));
    const std::int64_t n = count_ * C;
    const std::int64_t before = p * state_block() + row(t) * C, after = p * state_block() + row(t + 1) * C;
    float* h = layer.h.floats();
    switch (s_.config.cell) {
      case Cell::rnn:
        rnn_forward(gates.at[0], h + after, n);
        break;
      case Cell::gru:
        gru_forward(gates, h + before, h + after, n);
        break;
      case Cell::lstm:
        lstm_forward(gates, layer.c.floats() + before, layer.c.floats() + after, h + after, n);
        break;
    }
  }

  void decode(std::int64_t t, std::int64_t end) {
    const std::int64_t k = elements(s_.precision, s_.Hp);
    float* logits = work_.logits.floats();
    for (std::int64_t p = 0; p < s_.Vb; ++p)
      for (std::int64_t step = t; step < end; ++step)
        fill_rows(packed_.decoder_bias.floats() + p * C, logits + p * block() + row(step) * C, count_);
    fused::over_steps(s_.precision,
                      {.k = k,
                       .panels = s_.Vb,
                       .b = packed_.decoder_forward.floats(),
                       .b_panel = k * C,
                       .c = logits,
                       .c_panel = block(),
                       .accumulate = true},
                      fused::output_operand(s_, work_, s_.L - 1), row(t), row(t), count_, work_.streams, end - t);
    if (work_.window.targets == nullptr) return;
    for (std::int64_t step = t; step < end; ++step)
      cross_entropy({.rows = count_,
                     .panels = s_.Vb,
                     .logits = logits + row(step) * C,
                     .panel = block(),
                     .targets = work_.window.targets + row(step),
                     .nats = work_.nats.floats() + row(step),
                     .gradient_scale = work_.window.training ? work_.window.gradient_scale : 0});
  }

  const NetworkShape& s_;
  const PackedNetwork& packed_;
  FusedWorkspace& work_;
  std::int64_t begin_, count_;
};

void reserve(const NetworkShape& s, FusedWorkspace& work, const FusedWindow& window) {
  work.window = window;
  work.steps = window.steps;
  work.streams = window.streams;
  work.rows = window.steps * window.streams;
  work.layers.resize(static_cast<std::size_t>(s.L));
  const bool bf16 = s.precision == Precision::bf16, drops = fused::drops(s, work);
  const std::int64_t units = work.rows * s.Hp, state_units = (work.rows + work.streams) * s.Hp;
  for (FusedWorkspace::Layer& layer : work.layers) {
    layer.gates.reserve(s.cell.slots * units);
    layer.h.reserve(state_units);
    if (s.config.cell == Cell::lstm) layer.c.reserve(state_units);
    if (bf16) layer.h_operand.reserve(state_units / 2);
    if (drops) layer.out.reserve(units);
    if (drops && bf16) layer.out_operand.reserve(units / 2);
  }
  work.logits.reserve(work.rows * s.Vp);
  work.nats.reserve(work.rows);
}

/// Copies [L, B, H] of a state to (or from) the rows before the first step (or after the last).
template <class Copy>
void each_state_row(const NetworkShape& s, const FusedWorkspace& work, Copy copy) {
  for (std::int64_t l = 0; l < s.L; ++l)
    for (std::int64_t b = 0; b < work.streams; ++b)
      for (std::int64_t p = 0; p < s.Hb; ++p)
        copy(l, (l * work.streams + b) * s.H + p * C, p * (work.rows + work.streams) * C, b,
             std::clamp<std::int64_t>(s.H - p * C, 0, C));
}

void load_state(const NetworkShape& s, const State& state, FusedWorkspace& work) {
  const auto load = [&](const torch::Tensor& from, Buffer FusedWorkspace::Layer::*to) {
    const float* data = from.data_ptr<float>();
    each_state_row(s, work, [&](std::int64_t l, std::int64_t at, std::int64_t block, std::int64_t b, std::int64_t n) {
      float* out = (work.layers[static_cast<std::size_t>(l)].*to).floats() + block + b * C;
      std::copy_n(data + at, n, out);
      std::fill(out + n, out + C, 0.0F);
    });
  };
  load(state.h, &FusedWorkspace::Layer::h);
  if (state.c.defined()) load(state.c, &FusedWorkspace::Layer::c);
  if (s.precision == Precision::bf16)
    for (FusedWorkspace::Layer& layer : work.layers)
      to_operand(layer.h.floats(), (work.rows + work.streams) * C, layer.h_operand.pairs(),
                 (work.rows + work.streams) * C, s.Hb, work.streams);
}

void store_state(const NetworkShape& s, const FusedWorkspace& work, State& state) {
  const auto store = [&](torch::Tensor& to, Buffer FusedWorkspace::Layer::*from) {
    to = torch::empty({s.L, work.streams, s.H});
    float* data = to.data_ptr<float>();
    each_state_row(s, work, [&](std::int64_t l, std::int64_t at, std::int64_t block, std::int64_t b, std::int64_t n) {
      std::copy_n((work.layers[static_cast<std::size_t>(l)].*from).floats() + block + (work.rows + b) * C, n,
                  data + at);
    });
  };
  store(state.h, &FusedWorkspace::Layer::h);
  if (state.c.defined()) store(state.c, &FusedWorkspace::Layer::c);
}

}  // namespace

namespace fused {

bool drops(const NetworkShape& shape, const FusedWorkspace& work) {
  return work.window.training && shape.config.dropout > 0;
}

void drop(const NetworkShape& shape, const FusedWorkspace& work, std::int64_t layer, const float* in, float* out,
          std::int64_t block, std::int64_t row, std::int64_t rows) {
  // A seed of its own for every layer (the golden ratio's multiples lie far apart).
  const std::uint64_t seed = work.window.dropout_seed + static_cast<std::uint64_t>(layer) * 0x9e3779b97f4a7c15U;
  dropout(in, out, rows * C, shape.config.dropout, seed, static_cast<std::uint32_t>((block * work.rows + row) * C));
}

Gates gates_at(const NetworkShape& s, const FusedWorkspace& work, FusedWorkspace::Layer& layer, std::int64_t p,
               std::int64_t row) {
  Gates gates{};
  for (int slot = 0; slot < s.cell.slots; ++slot)
    gates.at[slot] = layer.gates.floats() + ((slot * s.Hb + p) * work.rows + row) * C;
  return gates;
}

Operand output_operand(const NetworkShape& s, const FusedWorkspace& work, std::int64_t l) {
  const FusedWorkspace::Layer& layer = work.layers[static_cast<std::size_t>(l)];
  const bool bf16 = s.precision == Precision::bf16;
  if (drops(s, work)) return {bf16 ? layer.out_operand.floats() : layer.out.floats(), work.rows * C};
  return {(bf16 ? layer.h_operand.floats() : layer.h.floats()) + work.streams * C, (work.rows + work.streams) * C};
}

void over_steps(Precision precision, Gemm g, const Operand& a, std::int64_t a_row, std::int64_t c_row,
                std::int64_t count, std::int64_t streams, std::int64_t steps) {
  g.a_block = a.block;
  if (count == streams) {  // neighbouring steps are neighbours in memory
    g.m = count * steps;
    g.a = a.data + a_row * C;
    g.c += c_row * C;
    return multiply(precision, g);
  }
  constexpr std::int64_t group = 4;  // panels that stay near while all steps pass
  g.m = count;
  const Gemm whole = g;
  for (std::int64_t p = 0; p < whole.panels; p += group) {
    g.panels = std::min(group, whole.panels - p);
    g.b = static_cast<const float*>(whole.b) + p * whole.b_panel;
    for (std::int64_t t = 0; t < steps; ++t) {
      g.a = a.data + (a_row + t * streams) * C;
      g.c = whole.c + p * whole.c_panel + (c_row + t * streams) * C;
      multiply(precision, g);
    }
  }
}

void share_streams(ThreadPool& pool, std::int64_t streams,
                   const std::function<void(std::int64_t, std::int64_t)>& work) {
  const std::int64_t parts = std::min<std::int64_t>(pool.size(), streams);
  pool.run(parts, [&](std::int64_t i) { work(streams * i / parts, streams * (i + 1) / parts); });
}

}  // namespace fused

FusedNetwork::FusedNetwork(const ModelConfig& config, std::int64_t vocabulary_size, Precision precision,
                           ThreadPool& pool)
    : shape_(config, vocabulary_size, precision), pool_(pool) {}

void FusedNetwork::take(const std::vector<torch::Tensor>& weights, bool backward) {
  std::vector<std::pair<const void*, std::int64_t>> now;
  for (const torch::Tensor& weight : weights) now.emplace_back(weight.data_ptr(), weight._version());
  if (now == seen_ && (seen_backward_ || !backward)) return;
  packed_.pack(shape_, weights, backward, pool_);
  seen_ = std::move(now);
  seen_backward_ = backward;
}

void FusedNetwork::forward(const FusedWindow& window, State& state, FusedWorkspace& work) const {
  reserve(shape_, work, window);
  fill_table(shape_, packed_, work, pool_);
  load_state(shape_, state, work);
  fused::share_streams(pool_, window.streams, [&](std::int64_t begin, std::int64_t end) {
    ForwardStreams(shape_, packed_, work, begin, end).run();
  });
  store_state(shape_, work, state);
}

}  // namespace charnn
