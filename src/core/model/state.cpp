#include "core/model/state.h"
#include <algorithm>
#include <numeric>
#include "kernels/gemm.h"

namespace charnn {
namespace {
constexpr std::int64_t W = block_width;

/// Calls use(place of 16 units in h or c, layer, block) for all blocks of a stream.
template <class Use>
void each_block(const State& s, std::int64_t stream, Use use) {
  for (std::int64_t l = 0; l < s.layers; ++l)
    for (std::int64_t p = 0; p < s.blocks(); ++p) use(((l * s.blocks() + p) * s.streams + stream) * W, l, p);
}

/// Calls use(place in h or c, place in rows, number of units) for all blocks that hold some.
template <class Use>
void each_row_part(const State& s, Use use) {
  for (std::int64_t b = 0; b < s.streams; ++b)
    each_block(s, b, [&](std::int64_t at, std::int64_t l, std::int64_t p) {
      if (const std::int64_t n = std::min(W, s.hidden - p * W); n > 0)
        use(at, (l * s.streams + b) * s.hidden + p * W, n);
    });
}
}  // namespace

State State::zeros(const ModelConfig& config, std::int64_t streams) {
  State state{config.layers, streams, config.hidden, kind_of(config.cell).has_c, {}, {}, {}};
  state.h.resize(static_cast<std::size_t>(config.layers * state.blocks() * streams * W));
  if (state.has_c) state.c = state.h;
  return state;
}

State State::on_host() const {
  State copy = *this;
  if (device) device->copy_to(copy);
  copy.device.reset();
  return copy;
}

void State::clear(std::int64_t stream) {
  if (device) {
    device = device->cleared(stream);
    return;
  }
  each_block(*this, stream, [&](std::int64_t at, auto, auto) {
    std::fill_n(h.begin() + at, W, 0.0F);
    if (has_c) std::fill_n(c.begin() + at, W, 0.0F);
  });
}

State State::gather(std::span<const std::int64_t> from) const {
  if (device) return on_host().gather(from);
  State gathered{layers, static_cast<std::int64_t>(from.size()), hidden, has_c, {}, {}, {}};
  const auto copy = [&](const AlignedFloats& in, AlignedFloats& out) {
    out.resize(static_cast<std::size_t>(layers * blocks() * gathered.streams * W));
    for (std::int64_t i = 0; i < gathered.streams; ++i)
      if (const std::int64_t stream = from[i]; stream >= 0)
        each_block(gathered, i, [&](std::int64_t at, std::int64_t l, std::int64_t p) {
          std::copy_n(in.begin() + ((l * blocks() + p) * streams + stream) * W, W, out.begin() + at);
        });
  };
  copy(h, gathered.h);
  if (has_c) copy(c, gathered.c);
  return gathered;
}

State State::columns(std::int64_t first, std::int64_t count) const {
  std::vector<std::int64_t> from(static_cast<std::size_t>(count));
  std::iota(from.begin(), from.end(), first);
  return gather(from);
}

void State::put(std::int64_t first, const State& part) {
  if (device) *this = on_host();
  if (part.device) return put(first, part.on_host());
  const auto copy = [&](const AlignedFloats& in, AlignedFloats& out) {
    for (std::int64_t block = 0; block < layers * blocks(); ++block)
      std::copy_n(in.begin() + block * part.streams * W, part.streams * W, out.begin() + (block * streams + first) * W);
  };
  copy(part.h, h);
  if (has_c) copy(part.c, c);
}

std::vector<float> to_rows(const State& s, const AlignedFloats& part) {
  std::vector<float> rows(static_cast<std::size_t>(s.layers * s.streams * s.hidden));
  each_row_part(s, [&](std::int64_t at, std::int64_t row, std::int64_t n) {
    std::copy_n(part.begin() + at, n, rows.begin() + row);
  });
  return rows;
}

void from_rows(std::span<const float> rows, const State& s, AlignedFloats& part) {
  each_row_part(s, [&](std::int64_t at, std::int64_t row, std::int64_t n) {
    std::copy_n(rows.begin() + row, n, part.begin() + at);
  });
}
}  // namespace charnn
