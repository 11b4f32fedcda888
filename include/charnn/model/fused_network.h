#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "charnn/base/thread_pool.h"
#include "charnn/model/blocked.h"
#include "charnn/model/cell_kernels.h"
#include "charnn/model/packed_network.h"
#include "charnn/model/state.h"

namespace charnn {

/// One window of text for the fused path. R = steps * streams rows, row t * streams + b.
struct FusedWindow {
  std::int64_t steps = 0;                 ///< T
  std::int64_t streams = 0;               ///< B
  const std::int64_t* ids = nullptr;      ///< [R]
  const std::int64_t* targets = nullptr;  ///< [R], negative: does not count. null: no loss
  bool training = false;                  ///< keep what backward() needs, and drop out
  std::uint64_t dropout_seed = 0;
  float gradient_scale = 0;  ///< training: the gradient is that of this times the sum of all nats
};

/// What a window leaves behind, kept from one to the next so that its memory is allocated once. R rows as above; c and
/// h have streams rows more, in front: the state before the first step.
struct FusedWorkspace {
  struct Layer {
    Buffer gates;          ///< [slots * Hb][R][16]; after backward() the gradients of the sums
    Buffer c;              ///< [Hb][R + B][16], lstm only
    Buffer h;              ///< [Hb][R + B][16]
    Buffer h_operand;      ///< bf16 only: h as pairs, [Hb / 2][R + B][16]
    Buffer out;            ///< [Hb][R][16], where dropout makes the layer's output another than h
    Buffer out_operand;    ///< bf16 only: out as pairs
    Buffer gradient;       ///< [Hb][R][16]: by the layer's output
    Buffer gates_operand;  ///< bf16 only: gates' gradients as pairs, [slots * Hb / 2][R][16]
    Buffer dc;             ///< [Hb][B][16]
    Buffer table;          ///< layer 0: each symbol's part of the sums, [x_count * Hb][U][16]
    Buffer table_gradient;
    Buffer h_rows;    ///< bf16 only: h (of the step before) as pairs of rows, see fused_gradients.cpp
    Buffer out_rows;  ///< bf16 only: the same of the output
  };
  std::vector<Layer> layers;
  Buffer logits;           ///< [Vb][R][16]; training: their gradients
  Buffer logits_operand;   ///< bf16 only
  Buffer nats;             ///< [R]
  Buffer embedded;         ///< [Eb][U][16]: the encoder's rows of the symbols that occur
  std::vector<std::int64_t> symbols;   ///< [U]: which
  std::vector<std::int64_t> table_row;   ///< [V]: working memory, all -1
  std::vector<std::int32_t> table_index;  ///< [R]: where in the table a row's symbol is
  std::int64_t steps = 0, streams = 0, rows = 0;
  FusedWindow window;
};

/// The whole network, forwards and backwards, over windows of text, on the CPU, without LibTorch's operators: the fast
/// twin of CharRnn::forward() with the same results but for rounding.
///
/// Threads share out the streams, each taking its own through all layers and steps, so that they meet only three times
/// a window; then they share out the rows of the weights' gradients. Every sum is made by one thread in a fixed order:
/// results do not depend on how many threads there are.
class FusedNetwork {
 public:
  FusedNetwork(const ModelConfig& config, std::int64_t vocabulary_size, Precision precision, ThreadPool& pool);

  /// Takes up `weights` (as CharRnn::weights() orders them) if they have changed since the last call. `backward`: for
  /// training too.
  void take(const std::vector<torch::Tensor>& weights, bool backward);

  /// Reads the state before the window from `state` and leaves that after it there. Tensors float, contiguous.
  void forward(const FusedWindow& window, State& state, FusedWorkspace& work) const;

  /// Backward through the last forward() with `work` (training). gradients: like the weights, overwritten. None flows
  /// to the state before the window.
  void backward(FusedWorkspace& work, const std::vector<torch::Tensor>& gradients) const;

  const NetworkShape& shape() const noexcept { return shape_; }
  ThreadPool& pool() const noexcept { return pool_; }

 private:
  NetworkShape shape_;
  ThreadPool& pool_;
  PackedNetwork packed_;
  std::vector<std::pair<const void*, std::int64_t>> seen_;  ///< identity and version of the weights packed
  bool seen_backward_ = false;
};

/// What forward(), backward() and weight_gradients(), in files of their own, share.
namespace fused {

/// First factor of a product: blocks of all rows.
struct Operand {
  const float* data;
  std::ptrdiff_t block;
};

/// Layer l's output of all steps, as what comes after it reads it.
Operand output_operand(const NetworkShape& shape, const FusedWorkspace& work, std::int64_t l);

/// Block p of each slot, from `row` on.
Gates gates_at(const NetworkShape& shape, const FusedWorkspace& work, FusedWorkspace::Layer& layer, std::int64_t p,
               std::int64_t row);

/// A product for `count` of the `streams` at each of `steps` steps; rows of A and C begin at a_row and c_row.
void over_steps(Precision precision, Gemm gemm, const Operand& a, std::int64_t a_row, std::int64_t c_row,
                std::int64_t count, std::int64_t streams, std::int64_t steps);

/// Calls work(begin, end) for a share of the streams on each thread.
void share_streams(ThreadPool& pool, std::int64_t streams,
                   const std::function<void(std::int64_t, std::int64_t)>& work);

/// True if this window drops out; drop() makes the mask of the output of `layer` and applies it to some rows of one
/// block of units.
bool drops(const NetworkShape& shape, const FusedWorkspace& work);
void drop(const NetworkShape& shape, const FusedWorkspace& work, std::int64_t layer, const float* in, float* out,
          std::int64_t block, std::int64_t row, std::int64_t rows);

void weight_gradients(const NetworkShape& shape, const PackedNetwork& packed, FusedWorkspace& work,
                      const std::vector<torch::Tensor>& gradients, ThreadPool& pool);

}  // namespace fused

}  // namespace charnn
