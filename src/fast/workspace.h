#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>
#include "core/model/state.h"
#include "fast/fast_network.h"
#include "fast/packed_network.h"
#include "kernels/buffer.h"
#include "kernels/matrix.h"
#include "kernels/thread_pool.h"

// What the passes of FastNetwork work on. Only the sources of this folder include it.
namespace charnn {
/// The streams [begin, begin + count) of a window, which one thread takes through all layers and steps; if that is all
/// of them, threads may share out the units of each step. Memory of its own: threads whose data lay between each
/// other's would keep taking cache lines from one another (on two cores that cost a quarter of the speed).
///
/// R = T * count rows, row t * count + (stream - begin). h and c have `count` rows more, in front: the state before the
/// first step. The left factors of products exist for a chunk of steps at a time.
struct StreamShare {
  struct Layer {
    Buffer gates;         ///< [slots * Hb][R][16]; after the backward pass the gradients of the sums
    Buffer c;             ///< [Hb][R + count][16], lstm only
    Buffer h;             ///< [Hb][R + count][16]
    Buffer out;           ///< [Hb][R][16], where dropout makes the layer's output another than h
    Buffer dc;            ///< [Hb][count][16], lstm only
    LeftMatrix h_left;    ///< chunk + 1 steps
    LeftMatrix out_left;  ///< chunk steps
  };

  std::int64_t begin = 0, count = 0, steps = 0, rows = 0;
  std::int64_t chunk = 0;         ///< steps at a time: enough rows for good products, few enough to stay in the cache
  ThreadPool* helpers = nullptr;  ///< where all streams are one share: threads that share out its units
  std::vector<Layer> layers;
  Buffer sum, sum_gradient;             ///< [Hb][R][16]: what the decoder reads, if that is the sum of all layers
  LeftMatrix sum_left;                  ///< chunk steps
  Buffer gradient;                      ///< [Hb][R][16]: by the output of the layer that the backward pass is at
  Buffer logits;                        ///< [Vb][R][16]; training: their gradients
  LeftMatrix logits_left, gates_left;   ///< chunk steps; gates of the layer that the backward pass is at
  Buffer nats;                          ///< [R]
  std::vector<std::int32_t> table_row;  ///< [R]: where in the table the symbol is
  std::vector<std::int64_t> targets;    ///< [R]

  /// [T]: the streams in which a document starts at that step, less `begin`. Empty if none does anywhere.
  std::vector<std::vector<std::int64_t>> starts;
  Buffer h_before, c_before;  ///< [Hb][count][16]: the state before a step at which some start
  LeftMatrix h_before_left;

  bool starts_at(std::int64_t t) const { return !starts.empty() && !starts[t].empty(); }
  /// Calls work(begin, end) for ranges of [0, n), which begin at multiples of `unit`.
  template <class Work>
  void each_range(std::int64_t n, std::int64_t unit, const Work& work) const {
    helpers == nullptr ? work(0, n) : helpers->share_out(n, unit, work);
  }
  // Places in the buffers above.
  std::int64_t row(std::int64_t t) const { return t * count * block_width; }
  std::int64_t block() const { return rows * block_width; }
  std::int64_t state_block() const { return (rows + count) * block_width; }
};

/// What a window leaves behind, kept from one to the next so that its memory is allocated once.
struct Workspace {
  FastWindow window;
  std::vector<StreamShare> shares;
  std::vector<std::int64_t> symbols;        ///< [U]: those that occur; where input_dropout acts, once for each mask
  std::vector<std::int64_t> mask_rows;      ///< [U]: see Masks::row(); where input_dropout acts
  std::vector<float> symbol_factors;        ///< [V]: see Masks::symbols(); where embedding_dropout acts
  std::vector<std::int32_t> row_of_symbol;  ///< [V], or [B, V] where input_dropout acts: where they are in the table
  std::vector<std::int32_t> table_row;      ///< [T, B]: where in the table a symbol is
  Buffer embedded;                          ///< [Eb][U][16]: the encoder's rows of `symbols`, after dropout
  Buffer table;                             ///< [x_count * Hb][U][16]: their part of the first layer's sums
  Buffer table_gradient;                    ///< the same
  std::vector<std::uint8_t> starts;         ///< [T, B] as in the window; empty: none
  RowMatrix inputs[2];                      ///< right factors of the gradients of W_hh and W_ih

  std::int64_t symbol_count() const { return static_cast<std::int64_t>(symbols.size()); }
};

/// Gives each thread its share of work.window, or makes one for all, with memory for it; finds the symbols that occur
/// and where documents start. Throws Error (usage) for a symbol outside the vocabulary.
void prepare(const PaddedShape& shape, Workspace& work, ThreadPool& pool);

/// Between a State and the shares: to the rows before the first step, from those after the last.
void load_state(const PaddedShape& shape, const State& state, Workspace& work);
void store_state(const PaddedShape& shape, const Workspace& work, State& state);

/// Blocks of the state before a step: block p begins at data + p * block.
struct PreviousState {
  const float* data;
  std::ptrdiff_t block;
};
/// `from` (a layer's h or c) before step t. Where documents start at t, it is a copy, in `copy`, with zeros for them.
PreviousState state_before(const PaddedShape& shape, const StreamShare& share, const Buffer& from, Buffer& copy,
                           std::int64_t t);

/// The arrays of block p of a layer's units at step t.
CellArrays arrays_of(const PaddedShape& shape, StreamShare& share, StreamShare::Layer& layer, std::int64_t p,
                     std::int64_t t, const PreviousState& h, const PreviousState& c);

/// Applies the dropout of the first layer's input to block e of row u of Workspace::embedded, or of its gradient.
void drop_input(const PaddedShape& shape, const Workspace& work, std::int64_t e, std::int64_t u, float* block);

// The passes, each in a file of its own.
void fill_table(const PaddedShape& shape, const PackedNetwork& packed, Workspace& work, ThreadPool& pool);
void forward_pass(const PaddedShape& shape, const PackedNetwork& packed, const Workspace& work, StreamShare& share);
void backward_pass(const PaddedShape& shape, const PackedNetwork& packed, const Workspace& work, StreamShare& share);
void weight_gradients(const PaddedShape& shape, const PackedNetwork& packed, Workspace& work, float* gradients,
                      ThreadPool& pool);
}  // namespace charnn
