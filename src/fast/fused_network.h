#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/model/state.h"
#include "fast/blocked.h"
#include "fast/packed_network.h"
#include "kernels/thread_pool.h"

namespace charnn {

/// One window of text for the fused path, T steps of B streams; arrays are [T, B].
struct FusedWindow {
  std::int64_t steps = 0;    ///< T
  std::int64_t streams = 0;  ///< B
  const std::int64_t* ids = nullptr;
  const std::int64_t* targets = nullptr;  ///< negative: does not count. null: no loss
  const std::uint8_t* starts = nullptr;   ///< 1: a document starts, from a zero state. null: nowhere
  bool training = false;                  ///< keep what backward() needs, and drop out
  std::uint64_t dropout_seed = 0;
  float gradient_scale = 0;  ///< training: the gradient is that of this times the sum of all nats
};

/// First factor of a product: blocks of rows.
struct Factor {
  const void* data;
  std::ptrdiff_t block;
  std::ptrdiff_t plane;

  Gemm times(Gemm gemm, std::int64_t rows) const {
    gemm.m = rows;
    gemm.a = data;
    gemm.a_block = block;
    gemm.a_plane = plane;
    return gemm;
  }
};

/// What a window leaves behind for the streams [begin, begin + count), which one thread takes through all layers and
/// steps. Memory of its own: threads whose data lay between each other's would keep taking cache lines from one another
/// (on two cores that cost a quarter of the speed).
///
/// R = T * count rows, row t * count + (stream - begin). h and c have `count` rows more, in front: the state before the
/// first step. Where products want pairs of bf16, those exist for the `stretch` steps at hand only.
struct FusedPart {
  struct Layer {
    Buffer gates;      ///< [slots * Hb][R][16]; after backward() the gradients of the sums
    Buffer c;          ///< [Hb][R + count][16], lstm only
    Buffer h;          ///< [Hb][R + count][16]
    Buffer out;        ///< [Hb][R][16], where dropout makes the layer's output another than h
    Buffer dc;         ///< [Hb][count][16]
    Buffer h_pairs;    ///< stretch + 1 steps
    Buffer out_pairs;  ///< stretch steps
  };

  /// Blocks of the state before a step: block p begins at data + p * block.
  struct Before {
    const float* data;
    std::ptrdiff_t block;
  };

  std::int64_t begin = 0, count = 0, steps = 0, rows = 0;
  std::int64_t stretch = 0;
  std::vector<Layer> layers;
  Buffer gradient;                      ///< [Hb][R][16]: by the output of the layer that backward() is at
  Buffer logits;                        ///< [Vb][R][16]; training: their gradients
  Buffer logits_pairs;                  ///< stretch steps
  Buffer gates_pairs;                   ///< stretch steps of the layer that backward() is at
  Buffer nats;                          ///< [R]
  std::vector<std::int32_t> table_row;  ///< [R]: where in the table the symbol is
  std::vector<std::int64_t> targets;    ///< [R]

  /// [T]: the streams in which a document starts at that step, less `begin`. Empty if none does anywhere.
  std::vector<std::vector<std::int64_t>> starts;
  Buffer h_before, c_before, h_before_pairs;  ///< [Hb][count][16]: of a step at which some start

  bool starts_at(std::int64_t t) const { return !starts.empty() && !starts[static_cast<std::size_t>(t)].empty(); }
};

/// What a window leaves behind, kept from one to the next so that its memory is allocated once.
struct FusedWorkspace {
  FusedWindow window;
  std::vector<FusedPart> parts;
  std::vector<std::int64_t> symbols;        ///< [U]: those that occur
  std::vector<std::int32_t> row_of_symbol;  ///< [V]: where they are in the table
  std::vector<std::int32_t> table_row;      ///< [T, B]: where in the table a symbol is
  Buffer embedded;                          ///< [Eb][U][16]: the encoder's rows of `symbols`
  Buffer table;                             ///< [x_count * Hb][U][16]: their part of the first layer's sums
  Buffer table_gradient;                    ///< the same
  std::vector<std::uint8_t> starts;         ///< [T, B] as in the window; empty: none
  Buffer inputs;                            ///< of a layer's two matrices: factor B of their gradients
};

/// The whole network, forwards and backwards, over windows of text, on the CPU, without LibTorch's operators: the fast
/// twin of CharRnn::forward() with the same results but for rounding.
///
/// Threads share out the streams and meet three times a window; then they share out the rows of the weights' gradients.
/// Every sum is made by one thread in a fixed order: results do not depend on how many threads there are.
class FusedNetwork {
 public:
  FusedNetwork(const ModelConfig& config, std::int64_t vocabulary_size, Format format, ThreadPool& pool);

  /// Takes up `weights` (as CharRnn::weights() orders them) if they have changed since the last call. `backward`: for
  /// training too.
  void take(const std::vector<torch::Tensor>& weights, bool backward);

  /// Reads the state before the window from `state` and leaves that after it there. Tensors float, contiguous.
  void forward(const FusedWindow& window, State& state, FusedWorkspace& work) const;

  /// Backward through the last forward() with `work` (training). gradients: like the weights, overwritten. None flows
  /// to the state before the window.
  void backward(FusedWorkspace& work, const std::vector<torch::Tensor>& gradients) const;

  const NetworkShape& shape() const noexcept { return shape_; }

 private:
  NetworkShape shape_;
  ThreadPool& pool_;
  PackedNetwork packed_;
  std::vector<std::pair<const void*, std::int64_t>> seen_;  ///< identity and version of the weights packed
  bool seen_backward_ = false;
};

/// -log p of the window's targets, [T, B].
void copy_nats(const FusedWorkspace& work, float* out);

/// What forward(), backward() and weight_gradients(), in files of their own, share.
namespace fused {

/// Gives each thread its part of work.window, with memory for it.
void share_out(const NetworkShape& shape, FusedWorkspace& work, int threads);

/// Finds the symbols that occur in the window, and where. Throws Error (usage) for one outside the vocabulary.
void number_symbols(const NetworkShape& shape, FusedWorkspace& work);

/// Finds the streams and steps at which documents start.
void find_starts(FusedWorkspace& work);

/// The state `from` (a layer's h or c) before step t. Where documents start at t, it is a copy, in `copy`, with zeros
/// for them.
FusedPart::Before state_before(const NetworkShape& shape, const FusedPart& part, const Buffer& from, Buffer& copy,
                               std::int64_t t);

/// Between a state's tensor [L, B, H] and the parts: to the rows before the first step, from those after the last.
void load_state(const NetworkShape& shape, const torch::Tensor& state, FusedWorkspace& work,
                Buffer FusedPart::Layer::*to);
torch::Tensor store_state(const NetworkShape& shape, FusedWorkspace& work, Buffer FusedPart::Layer::*from);

/// True if this window drops out; drop() makes the mask of the output of `layer` at step t and applies it to block p of
/// the units, `in` to `out`.
bool drops(const NetworkShape& shape, const FusedWindow& window);
void drop(const NetworkShape& shape, const FusedWindow& window, const FusedPart& part, std::int64_t layer,
          std::int64_t p, std::int64_t t, const float* in, float* out);

void backward_part(const NetworkShape& shape, const PackedNetwork& packed, const FusedWindow& window, FusedPart& part);

void weight_gradients(const NetworkShape& shape, const PackedNetwork& packed, FusedWorkspace& work,
                      const std::vector<torch::Tensor>& gradients, ThreadPool& pool);

}  // namespace fused

}  // namespace charnn
