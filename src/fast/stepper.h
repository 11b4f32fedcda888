#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/model/network.h"
#include "fast/packed_network.h"
#include "kernels/cell_kernels.h"
#include "kernels/thread_pool.h"

namespace charnn {

/// Recurrent state of some streams. Make it with Stepper::zero_state().
class StepState {
 public:
  std::int64_t streams() const noexcept { return streams_; }

  /// Sets one stream back to the zero state.
  void clear(std::int64_t stream);

 private:
  friend class Stepper;
  struct Part;
  const Part& part_of(std::int64_t stream) const;
  /// Streams [begin, begin + count), which one thread takes.
  struct Part {
    std::int64_t begin = 0, count = 0;
    std::vector<Buffer> h, h_next, c;  ///< [layers]: [Hb][count][16]
    std::vector<Buffer> h_pairs;       ///< [layers]: h for products of pairs
    Buffer sums;                       ///< [slots * Hb][count][16]
    Buffer start;                      ///< working memory of start_of()
    Buffer logits;                     ///< [Vb][count][16]
  };
  std::int64_t streams_ = 0;
  std::vector<Part> parts_;
};

/// The network one symbol at a time, on the CPU, without autograd: made for sampling. It holds a copy of the weights,
/// so that training may go on beside it.
///
/// The first layer's input, embedding and projection together, is a table with a row for every symbol. One stream alone
/// is limited by how fast its weights can be read: they lie in the order of reading, and threads share out the units.
/// Many streams share out the threads, and their products are those of the fused path.
class Stepper {
 public:
  /// `threads`: 0 for what is fastest for these sizes and one stream.
  explicit Stepper(const CharRnn& model, StepWeights weights = StepWeights::fp32, int threads = 1);

  StepState zero_state(std::int64_t streams = 1) const;

  /// A state of which stream i is stream `from[i]` of `state`; -1: the zero state.
  StepState gather(const StepState& state, std::span<const std::int64_t> from) const;

  /// Feeds one symbol to each stream, moves `state` on, and writes the logits [streams, V] of the symbols that follow.
  void step(StepState& state, std::span<const std::int64_t> ids, std::vector<float>& logits) const;
  void step(StepState& state, std::int64_t id, std::vector<float>& logits) const { step(state, {&id, 1}, logits); }

  std::int64_t vocabulary_size() const noexcept { return shape_.V; }
  StepWeights weights() const noexcept { return weights_; }  ///< fp32 or bf16
  ThreadPool& pool() const noexcept { return *pool_; }

 private:
  /// A matrix in the order in which one stream reads it: groups of up to 8 panels, [groups][k][panels][16].
  struct Rows {
    void fill(const Panels& panels, std::int64_t rows_a_unit, std::int64_t units, std::int64_t apart,
              StepWeights weights);

    Buffer data;
    StepWeights weights = StepWeights::fp32;
    std::int64_t k = 0, units = 0, units_a_group = 0, panels_a_unit = 0;
  };
  struct Layer {
    Rows x, h;
  };

  /// What the sums of layer l begin with: [Hb][slots][16]. `memory` is used where no table holds it.
  const float* start_of(std::int64_t l, std::int64_t id, float* memory) const;
  void start_unit(std::int64_t id, std::int64_t p, float* sums) const;
  void step_alone(StepState::Part& part, std::int64_t id) const;
  void step_together(StepState::Part& part, std::span<const std::int64_t> ids) const;
  void multiply_alone(const Rows& rows, std::int64_t first_unit, std::int64_t units, const float* x, float* sums,
                      std::int64_t unit_stride) const;
  void activate(StepState::Part& part, std::size_t layer, const Gates& gates, std::int64_t at, std::int64_t n) const;

  NetworkShape shape_;
  StepWeights weights_;
  std::unique_ptr<ThreadPool> pool_;
  PackedNetwork packed_;
  Buffer table_;  ///< [V][Hb][slots][16]: what the first layer's sums begin with; empty for huge alphabets
  Buffer bias_;   ///< [layers][Hb][slots][16]
  std::vector<Layer> layers_;
  Rows decoder_;
};

}  // namespace charnn
