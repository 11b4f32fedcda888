// The stepper's recurrent state: made, cleared, put together anew.

#include <algorithm>
#include <utility>

#include "fast/fused_network.h"
#include "fast/stepper.h"
#include "kernels/gemm.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;

}  // namespace

void StepState::clear(std::int64_t stream) {
  for (Part& part : parts_) {
    const std::int64_t b = stream - part.begin;
    if (b < 0 || b >= part.count) continue;
    for (std::vector<Buffer>* buffers : {&part.h, &part.c, &part.h_pairs})
      for (Buffer& buffer : *buffers)  // [blocks][count][16], whatever the blocks are
        for (std::int64_t at = b * C; at < buffer.size(); at += part.count * C)
          std::fill_n(buffer.floats() + at, C, 0.0F);
  }
}

const StepState::Part& StepState::part_of(std::int64_t stream) const {
  for (const Part& part : parts_)
    if (stream < part.begin + part.count) return part;
  return parts_.back();
}

StepState Stepper::zero_state(std::int64_t streams) const {
  const NetworkShape& s = shape_;
  StepState state;
  state.streams_ = streams;
  const std::int64_t parts = std::min<std::int64_t>(pool_->size(), streams);
  for (std::int64_t i = 0; i < parts; ++i) {
    StepState::Part part;
    part.begin = streams * i / parts;
    part.count = streams * (i + 1) / parts - part.begin;
    const auto layers = static_cast<std::size_t>(s.L);
    part.h.resize(layers);
    part.h_next.resize(layers);
    part.c.resize(layers);
    part.h_pairs.resize(layers);
    for (std::size_t l = 0; l < layers; ++l) {
      part.h[l].reserve(s.Hp * part.count);
      part.h_next[l].reserve(s.Hp * part.count);
      part.c[l].reserve(s.Hp * part.count);
      if (s.format != Format::f32) part.h_pairs[l].reserve(planes(s.format) * s.Hp / 2 * part.count);
    }
    part.start.reserve(s.cell.slots * s.Hp);
    part.sums.reserve(s.cell.slots * s.Hp * part.count);
    part.logits.reserve(s.Vp * part.count);
    state.parts_.push_back(std::move(part));
  }
  return state;
}

StepState Stepper::gather(const StepState& state, std::span<const std::int64_t> from) const {
  StepState gathered = zero_state(static_cast<std::int64_t>(from.size()));
  for (StepState::Part& part : gathered.parts_) {
    const std::int64_t block = part.count * C;
    for (std::int64_t b = 0; b < part.count; ++b) {
      const std::int64_t stream = from[static_cast<std::size_t>(part.begin + b)];
      if (stream < 0) continue;
      const StepState::Part& source = state.part_of(stream);
      const auto copy = [&](const std::vector<Buffer>& in, std::vector<Buffer>& out) {
        for (std::size_t l = 0; l < in.size(); ++l)
          for (std::int64_t p = 0; p < shape_.Hb; ++p)
            std::copy_n(in[l].floats() + (p * source.count + stream - source.begin) * C, C,
                        out[l].floats() + p * block + b * C);
      };
      copy(source.h, part.h);
      copy(source.c, part.c);
    }
    if (shape_.format == Format::f32) continue;
    for (std::size_t l = 0; l < part.h.size(); ++l)
      to_pairs(shape_.format, part.h[l].floats(), block, part.h_pairs[l].pairs(), block, shape_.Hb / 2 * block,
               shape_.Hb, part.count);
  }
  return gathered;
}

}  // namespace charnn
