// What surrounds the passes through a window: memory, symbols, states.
#include "fast/workspace.h"
#include <fmt/format.h>
#include "core/base/error.h"
#include "fast/masks.h"

namespace charnn {
namespace {
/// Few streams for each thread would read all weights for too few rows. Then threads share out the units instead, if
/// a core's cache does not hold a layer's weights (measured on two cores, floats and bf16: at 256 units sharing them
/// out is up to a fifth slower, as threads wait for each other at every step, at 512 up to a third faster).
bool shares_units(const PaddedShape& s, std::int64_t streams, std::int64_t threads) {
  constexpr std::int64_t few_streams = 32, near_weights = 1 << 19;
  return threads > 1 && streams < threads * few_streams && s.cell.slots * s.Hp * s.Hp > near_weights &&
         s.Hb / 4 >= threads;
}

void share_out(const PaddedShape& s, Workspace& work, ThreadPool& pool) {
  constexpr std::int64_t rows_at_a_time = 256;
  const FastWindow& window = work.window;
  const Masks masks(s.layout.config(), window);
  const bool by_units = shares_units(s, window.streams, pool.size());
  const std::int64_t count = by_units ? 1 : std::min<std::int64_t>(pool.size(), window.streams);
  work.shares.resize(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    StreamShare& share = work.shares[i];
    share.helpers = by_units ? &pool : nullptr;
    share.begin = window.streams * i / count;
    share.count = window.streams * (i + 1) / count - share.begin;
    share.steps = window.steps;
    share.rows = share.steps * share.count;
    share.chunk = std::clamp<std::int64_t>(rows_at_a_time / share.count, 1, share.steps);
    share.layers.resize(static_cast<std::size_t>(s.L));
    const std::int64_t units = share.rows * s.Hp, state_units = units + share.count * s.Hp;
    for (StreamShare::Layer& layer : share.layers) {
      layer.gates.reserve(s.cell.slots * units);
      layer.h.reserve(state_units);
      if (s.cell.has_c) layer.c.reserve(state_units);
      if (masks.rate_after(&layer - share.layers.data()) > 0) layer.out.reserve(units);
      if (window.training && s.cell.has_c) layer.dc.reserve(share.count * s.Hp);
    }
    if (s.layout.config().sums_layers()) share.sum.reserve(units);
    if (window.training && s.layout.config().sums_layers()) share.sum_gradient.reserve(units);
    if (window.training) share.gradient.reserve(units);
    share.logits.reserve(share.rows * s.Vp);
    share.nats.reserve(share.rows);
  }
}

/// Finds the symbols that occur, each with each mask of input dropout, and where.
void number_symbols(const PaddedShape& s, Workspace& work) {
  const FastWindow& window = work.window;
  const Masks masks(s.layout.config(), window);
  const bool masked = masks.rate_of_input() > 0;
  const std::int64_t B = window.streams, rows = window.steps * B;
  work.row_of_symbol.resize(static_cast<std::size_t>(masked ? B * s.V : s.V), -1);
  work.symbols.clear();
  work.mask_rows.clear();
  work.table_row.resize(static_cast<std::size_t>(rows));
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t id = window.ids[r], mask = masked ? masks.row(r / B, r % B) : 0;
    if (id < 0 || id >= s.V)
      fail_input(fmt::format("symbol {}", id), fmt::format("one of the {} of the vocabulary", s.V), "");
    std::int32_t& row = work.row_of_symbol[masked ? r % B * s.V + id : id];
    if (row < 0 || (masked && work.mask_rows[row] != mask)) {
      row = static_cast<std::int32_t>(work.symbols.size());
      work.symbols.push_back(id);
      if (masked) work.mask_rows.push_back(mask);
    }
    work.table_row[r] = row;
  }
  for (std::int64_t u = 0; u < work.symbol_count(); ++u)
    work.row_of_symbol[masked ? work.mask_rows[u] % B * s.V + work.symbols[u] : work.symbols[u]] = -1;
  work.symbol_factors.resize(masks.rate_of_symbols() > 0 ? static_cast<std::size_t>(s.V) : 0);
  if (!work.symbol_factors.empty()) masks.symbols(work.symbol_factors.data(), s.V);
  for (StreamShare& share : work.shares) {
    share.table_row.clear();
    share.targets.clear();
    for (std::int64_t t = 0; t < window.steps; ++t) {
      const std::int64_t from = t * window.streams + share.begin;
      share.table_row.insert(share.table_row.end(), work.table_row.begin() + from,
                             work.table_row.begin() + from + share.count);
      share.targets.insert(share.targets.end(), window.targets + from, window.targets + from + share.count);
    }
  }
}

void find_starts(Workspace& work) {
  const FastWindow& window = work.window;
  work.starts.clear();
  if (window.starts != nullptr) work.starts.assign(window.starts, window.starts + window.steps * window.streams);
  if (std::all_of(work.starts.begin(), work.starts.end(), [](std::uint8_t s) { return s == 0; })) work.starts.clear();
  for (StreamShare& share : work.shares) {
    share.starts.clear();
    if (work.starts.empty()) continue;
    share.starts.resize(static_cast<std::size_t>(share.steps));
    for (std::int64_t r = 0; r < share.rows; ++r) {
      const std::int64_t t = r / share.count, b = r % share.count;
      if (work.starts[t * window.streams + share.begin + b] != 0) share.starts[t].push_back(b);
    }
  }
}

/// Calls copy(place in the state, place in a layer's rows before the first step, number) for all blocks of a share.
template <class Copy>
void each_state_block(const PaddedShape& s, const StreamShare& share, const State& state, std::int64_t l, Copy copy) {
  for (std::int64_t p = 0; p < s.Hb; ++p)
    copy(((l * state.blocks() + p) * state.streams + share.begin) * W, p * share.state_block(), share.count * W);
}
}  // namespace

void prepare(const PaddedShape& s, Workspace& work, ThreadPool& pool) {
  share_out(s, work, pool);
  number_symbols(s, work);
  find_starts(work);
}

void load_state(const PaddedShape& s, const State& state, Workspace& work) {
  for (StreamShare& share : work.shares)
    for (std::int64_t l = 0; l < s.L; ++l) {
      StreamShare::Layer& layer = share.layers[l];
      each_state_block(s, share, state, l, [&](std::int64_t from, std::int64_t to, std::int64_t n) {
        std::copy_n(state.h.begin() + from, n, layer.h.floats() + to);
        if (state.has_c) std::copy_n(state.c.begin() + from, n, layer.c.floats() + to);
      });
    }
}

void store_state(const PaddedShape& s, const Workspace& work, State& state) {
  for (const StreamShare& share : work.shares)
    for (std::int64_t l = 0; l < s.L; ++l) {
      const StreamShare::Layer& layer = share.layers[l];
      const std::int64_t last = share.row(share.steps);
      each_state_block(s, share, state, l, [&](std::int64_t to, std::int64_t from, std::int64_t n) {
        std::copy_n(layer.h.floats() + last + from, n, state.h.begin() + to);
        if (state.has_c) std::copy_n(layer.c.floats() + last + from, n, state.c.begin() + to);
      });
    }
}

PreviousState state_before(const PaddedShape& s, const StreamShare& share, const Buffer& from, Buffer& copy,
                           std::int64_t t) {
  const std::int64_t n = share.count * W, block = share.state_block();
  const float* state = from.floats() + share.row(t);
  if (!share.starts_at(t)) return {state, block};
  copy.reserve(s.Hb * n);
  for (std::int64_t p = 0; p < s.Hb; ++p) {
    std::copy_n(state + p * block, n, copy.floats() + p * n);
    for (const std::int64_t b : share.starts[t]) std::fill_n(copy.floats() + p * n + b * W, W, 0.0F);
  }
  return {copy.floats(), n};
}

CellArrays arrays_of(const PaddedShape& s, StreamShare& share, StreamShare::Layer& layer, std::int64_t p,
                     std::int64_t t, const PreviousState& h, const PreviousState& c) {
  CellArrays arrays;
  for (int slot = 0; slot < s.cell.slots; ++slot)
    arrays.slot[slot] = layer.gates.floats() + (slot * s.Hb + p) * share.block() + share.row(t);
  const std::int64_t after = p * share.state_block() + share.row(t + 1);
  arrays.h_prev = h.data + p * h.block;
  arrays.h = layer.h.floats() + after;
  if (!s.cell.has_c) return arrays;
  arrays.c_prev = c.data + p * c.block;
  arrays.c = layer.c.floats() + after;
  return arrays;
}

void drop_input(const PaddedShape& s, const Workspace& work, std::int64_t e, std::int64_t u, float* block) {
  if (!work.mask_rows.empty()) Masks(s.layout.config(), work.window).input(e, work.mask_rows[u], block);
  if (!work.symbol_factors.empty())
    for (std::int64_t j = 0; j < W; ++j) block[j] *= work.symbol_factors[work.symbols[u]];
}
}  // namespace charnn
