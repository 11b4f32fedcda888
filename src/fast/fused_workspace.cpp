// What surrounds the passes through a window: memory, symbols, states.
#include <algorithm>

#include <fmt/format.h>

#include "core/base/error.h"
#include "fast/fused_network.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;

/// Calls copy(values of a [L, B, H] tensor, place of a block in a part's layer, number of values) for all blocks.
template <class Copy>
void each_state_block(const NetworkShape& s, const FusedPart& part, std::int64_t streams, float* state, Copy copy) {
  for (std::int64_t l = 0; l < s.L; ++l)
    for (std::int64_t b = 0; b < part.count; ++b)
      for (std::int64_t p = 0; p < s.Hb; ++p)
        copy(state + (l * streams + part.begin + b) * s.H + p * C, static_cast<std::size_t>(l),
             (p * (part.rows + part.count) + b) * C, std::clamp<std::int64_t>(s.H - p * C, 0, C));
}

}  // namespace

/// Gives each thread its part, with memory for it.
void fused::share_out(const NetworkShape& s, FusedWorkspace& work, int threads) {
  // Steps at a time: enough rows for good products, few enough to stay in the cache.
  constexpr std::int64_t rows_at_a_time = 256;
  const FusedWindow& window = work.window;
  const bool pairs = s.format != Format::f32, drops = fused::drops(s, window);
  const std::int64_t parts = std::min<std::int64_t>(threads, window.streams), planes = charnn::planes(s.format);
  work.parts.resize(static_cast<std::size_t>(parts));
  for (std::int64_t i = 0; i < parts; ++i) {
    FusedPart& part = work.parts[static_cast<std::size_t>(i)];
    part.begin = window.streams * i / parts;
    part.count = window.streams * (i + 1) / parts - part.begin;
    part.steps = window.steps;
    part.rows = part.steps * part.count;
    part.stretch = std::clamp<std::int64_t>(rows_at_a_time / part.count, 1, part.steps);
    part.layers.resize(static_cast<std::size_t>(s.L));
    const std::int64_t units = part.rows * s.Hp, state_units = units + part.count * s.Hp;
    const std::int64_t near = planes * part.stretch * part.count * s.Hp / 2;
    for (FusedPart::Layer& layer : part.layers) {
      layer.gates.reserve(s.cell.slots * units);
      layer.h.reserve(state_units);
      if (s.config.cell == Cell::lstm) layer.c.reserve(state_units);
      if (drops) layer.out.reserve(units);
      if (pairs) layer.h_pairs.reserve(near + planes * part.count * s.Hp / 2);
      if (pairs && drops) layer.out_pairs.reserve(near);
      if (!window.training) continue;
      if (s.config.cell == Cell::lstm) layer.dc.reserve(part.count * s.Hp);
    }
    if (window.training) part.gradient.reserve(part.rows * s.Hp);
    part.logits.reserve(part.rows * s.Vp);
    if (pairs && window.training) part.gates_pairs.reserve(s.cell.slots * near);
    if (pairs && window.training) part.logits_pairs.reserve(planes * part.stretch * part.count * s.Vp / 2);
    part.nats.reserve(part.rows);
  }
}

/// Finds the symbols that occur, and where.
void fused::number_symbols(const NetworkShape& s, FusedWorkspace& work) {
  const FusedWindow& window = work.window;
  const std::int64_t rows = window.steps * window.streams;
  work.row_of_symbol.resize(static_cast<std::size_t>(s.V), -1);
  work.symbols.clear();
  work.table_row.resize(static_cast<std::size_t>(rows));
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t id = window.ids[r];
    if (id < 0 || id >= s.V)
      fail_input(fmt::format("symbol {}", id), fmt::format("one of the {} of the vocabulary", s.V), "");
    std::int32_t& row = work.row_of_symbol[static_cast<std::size_t>(id)];
    if (row < 0) {
      row = static_cast<std::int32_t>(work.symbols.size());
      work.symbols.push_back(id);
    }
    work.table_row[static_cast<std::size_t>(r)] = row;
  }
  for (const std::int64_t id : work.symbols) work.row_of_symbol[static_cast<std::size_t>(id)] = -1;
  for (FusedPart& part : work.parts) {
    part.table_row.clear();
    part.targets.clear();
    for (std::int64_t t = 0; t < window.steps; ++t) {
      const std::int64_t from = t * window.streams + part.begin;
      part.table_row.insert(part.table_row.end(), work.table_row.begin() + from,
                            work.table_row.begin() + from + part.count);
      if (window.targets)
        part.targets.insert(part.targets.end(), window.targets + from, window.targets + from + part.count);
    }
  }
}

void fused::find_starts(FusedWorkspace& work) {
  const FusedWindow& window = work.window;
  const std::int64_t rows = window.steps * window.streams;
  work.starts.clear();
  if (window.starts != nullptr) work.starts.assign(window.starts, window.starts + rows);
  if (std::all_of(work.starts.begin(), work.starts.end(), [](std::uint8_t s) { return s == 0; })) work.starts.clear();
  for (FusedPart& part : work.parts) {
    part.starts.clear();
    if (work.starts.empty()) continue;
    part.starts.resize(static_cast<std::size_t>(part.steps));
    for (std::int64_t r = 0; r < part.rows; ++r) {
      const std::int64_t t = r / part.count, b = r % part.count;
      if (work.starts[static_cast<std::size_t>(t * window.streams + part.begin + b)] != 0)
        part.starts[static_cast<std::size_t>(t)].push_back(b);
    }
  }
}

FusedPart::Before fused::state_before(const NetworkShape& s, const FusedPart& part, const Buffer& from, Buffer& copy,
                                      std::int64_t t) {
  const std::int64_t n = part.count * C, block = (part.rows + part.count) * C;
  const float* state = from.floats() + t * n;
  if (!part.starts_at(t)) return {state, block};
  copy.reserve(s.Hb * n);
  for (std::int64_t p = 0; p < s.Hb; ++p) {
    std::copy_n(state + p * block, n, copy.floats() + p * n);
    for (const std::int64_t b : part.starts[static_cast<std::size_t>(t)])
      std::fill_n(copy.floats() + p * n + b * C, C, 0.0F);
  }
  return {copy.floats(), n};
}

void fused::load_state(const NetworkShape& s, const torch::Tensor& state, FusedWorkspace& work,
                       Buffer FusedPart::Layer::*to) {
  for (FusedPart& part : work.parts)
    each_state_block(s, part, work.window.streams, state.data_ptr<float>(),
                     [&](const float* values, std::size_t l, std::int64_t at, std::int64_t n) {
                       float* block = (part.layers[l].*to).floats() + at;
                       std::copy_n(values, n, block);
                       std::fill(block + n, block + C, 0.0F);
                     });
}

torch::Tensor fused::store_state(const NetworkShape& s, FusedWorkspace& work, Buffer FusedPart::Layer::*from) {
  torch::Tensor state = torch::empty({s.L, work.window.streams, s.H});
  for (FusedPart& part : work.parts)
    each_state_block(s, part, work.window.streams, state.data_ptr<float>(),
                     [&](float* values, std::size_t l, std::int64_t at, std::int64_t n) {
                       std::copy_n((part.layers[l].*from).floats() + part.rows * C + at, n, values);
                     });
  return state;
}

void copy_nats(const FusedWorkspace& work, float* out) {
  for (const FusedPart& part : work.parts)
    for (std::int64_t t = 0; t < part.steps; ++t)
      std::copy_n(part.nats.floats() + t * part.count, part.count, out + t * work.window.streams + part.begin);
}

}  // namespace charnn
