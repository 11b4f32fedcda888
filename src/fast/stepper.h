#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>
#include "core/model/state.h"
#include "fast/packed_network.h"
#include "fast/streamed_matrix.h"
#include "kernels/thread_pool.h"

namespace charnn {
/// The network one symbol at a time, on the CPU: made for sampling. It holds a copy of the weights, so that training
/// may go on beside it.
///
/// The first layer's input, embedding and projection together, is a table with a row for every symbol. Threads share
/// out the hidden units. One stream alone is limited by how fast its weights can be read, so they lie in the order of
/// reading; for several streams the products are those of FastNetwork.
class Stepper {
 public:
  /// `weights`: as the layout has them. `threads`: 0 for what is fastest for these sizes and one stream.
  Stepper(const NetworkLayout& layout, std::vector<float> weights, StepWeights kept = StepWeights::fp32,
          int threads = 1);

  State zero_state(std::int64_t streams = 1) const { return State::zeros(shape_.layout.config(), streams); }
  /// Feeds one symbol to each stream, moves `state` on, and writes the logits [streams, V] of the symbols that follow.
  /// One call at a time: it works in memory of the stepper's.
  void step(State& state, std::span<const std::int64_t> ids, std::vector<float>& logits);

  std::int64_t vocabulary_size() const noexcept { return shape_.V; }
  StepWeights weights() const noexcept { return kept_; }  ///< not automatic
  ThreadPool& pool() const noexcept { return *pool_; }

 private:
  struct Layer {
    StreamedMatrix x, h;
  };
  void pack_streamed(const std::vector<float>& weights);
  void fill_starts();
  void reserve(std::int64_t streams);
  void take_units(State& state, std::int64_t l, std::span<const std::int64_t> ids, std::int64_t begin,
                  std::int64_t end);
  void begin_sums(std::int64_t l, std::span<const std::int64_t> ids, std::int64_t begin, std::int64_t end);
  void multiply_units(const LeftRows& left, const RightMatrix& weights, int first_slot, int slots, std::int64_t begin,
                      std::int64_t end);
  void sum_layers(std::int64_t streams, std::int64_t begin, std::int64_t end);
  void decode(const State& state, std::int64_t begin, std::int64_t end);

  PaddedShape shape_;
  StepWeights kept_;
  std::unique_ptr<ThreadPool> pool_;
  PackedNetwork packed_;
  std::vector<Layer> layers_;
  StreamedMatrix decoder_;
  // What sums begin with.
  Buffer biases_;  ///< [layers][Hb][slots][16]
  Buffer table_;   ///< [V][Hb][slots][16]: biases and input of the first layer; empty for huge alphabets

  // Working memory of a step of B streams.
  Buffer embedded_;               ///< [Eb][B][16]; without a table
  Buffer sums_;                   ///< [Hb][slots][B][16]
  Buffer logits_;                 ///< [Vb][B][16]
  AlignedFloats h_next_;          ///< as State::h
  std::vector<LeftMatrix> left_;  ///< of state.h, and of h_next_: [2 layers]
  AlignedFloats sum_;             ///< [Hb][B][16]: what the decoder reads, if that is the sum of all layers
  LeftMatrix sum_left_;
};
}  // namespace charnn
