// The weights' gradients: for every matrix, (gradient by its result)^T x (its input), summed over all rows of a window,
// one product over all steps. The rows are taken in the order of the text, whichever thread has made them, so that the
// sums do not depend on the number of threads.
#include "fast/masks.h"
#include "fast/workspace.h"
#include "kernels/elementwise.h"
#include "kernels/thread_pool.h"

namespace charnn {
namespace {
constexpr std::int64_t blocks_a_task = 4;                ///< 64 rows of a gradient
constexpr std::int64_t few_rows = RowMatrix::most_rows;  ///< of the window: their inputs stay near for the next block

/// A group of gates, or the logits: `blocks` blocks of each share's `source` from `first` on, the matrices that they
/// come from, and their biases.
struct Group {
  const Buffer& (*source)(const StreamShare& share, std::int64_t layer);
  std::int64_t layer, first, blocks;
  BlockedAxis rows;  ///< of the weights
  struct Product {
    const RowMatrix* input;
    float* gradient;  ///< of a matrix with H columns
  };
  std::vector<Product> products;
  std::vector<float*> biases;
  std::int64_t table_block = -1;  ///< first layer: the group's place in the table of symbols
};

/// Some blocks of a group, which one thread works on at a time.
struct Task {
  const Group& group;
  std::int64_t block, blocks;
  float* sums;   ///< [products][Hb][16 blocks][16]
  float* bias;   ///< [blocks][16]
  float* table;  ///< [blocks][U][16]; null but for the first layer
};

/// Copies rows [begin, begin + count) of the window, T x B, from the shares; from(share) is where its first row lies.
template <class From>
void collect(const Workspace& work, std::int64_t begin, std::int64_t count, From from, float* out) {
  const std::int64_t streams = work.window.streams;
  for (std::int64_t r = begin; r < begin + count;) {
    const std::int64_t t = r / streams, b = r % streams;
    const auto share = std::find_if(work.shares.begin(), work.shares.end(),
                                    [&](const StreamShare& s) { return b < s.begin + s.count; });
    const std::int64_t n = std::min(share->begin + share->count - b, begin + count - r);
    out = std::copy_n(from(*share) + (t * share->count + b - share->begin) * W, n * W, out);
    r += n;
  }
}

/// Writes sums, [panels][16 blocks][16], to the rows of a gradient that the task's blocks stand for.
void write_sums(const Task& task, const BlockedAxis& columns, const float* sums, float* gradient) {
  for (std::int64_t p = 0; p < columns.count(); ++p) {
    const BlockedAxis::Span column = columns.span(p);
    for (std::int64_t b = 0; b < task.blocks; ++b, sums += W * W) {
      const BlockedAxis::Span rows = task.group.rows.span(task.block + b);
      for (std::int64_t i = 0; i < rows.valid; ++i)
        std::copy_n(sums + i * W, column.valid, gradient + (rows.offset + i) * columns.size + column.offset);
    }
  }
}

class WeightGradients {
 public:
  WeightGradients(const PaddedShape& shape, const PackedNetwork& packed, Workspace& work, float* gradients,
                  ThreadPool& pool)
      : s_(shape),
        packed_(packed),
        work_(work),
        masks_(shape.layout.config(), work.window),
        gradients_(gradients),
        pool_(pool),
        R_(work.window.steps * work.window.streams),
        U_(work.symbol_count()) {}

  void run() {
    for (RowMatrix& input : work_.inputs) input.reserve(s_.format, s_.Hb, R_);
    work_.table_gradient.reserve(s_.cell.x_count * s_.Hp * U_);
    for (std::int64_t l = 0; l <= s_.L; ++l) {
      if (l < s_.L) collect_inputs(l, false, work_.inputs[0]);
      if (l > 0) collect_inputs(l - 1, true, work_.inputs[1], l == s_.L && s_.layout.config().sums_layers());
      run(l < s_.L ? layer(l) : std::vector<Group>{logits()});
      if (l < s_.L && masks_.rate_of_weights() > 0) drop_weights(l);
    }
    encoder();
  }

 private:
  float* gradient(const WeightInfo& weight) const { return gradients_ + weight.offset; }

  /// Collects layer l's output (or the sum of all layers'), or the state before each step.
  void collect_inputs(std::int64_t l, bool output, RowMatrix& input, bool sum = false) {
    const bool dropped = output && masks_.rate_after(l) > 0;
    pool_.run(s_.Hb, [&](std::int64_t p) {
      const auto from = [&](const StreamShare& share) {
        const StreamShare::Layer& layer = share.layers[l];
        if (sum || dropped) return (sum ? share.sum : layer.out).floats() + p * share.block();
        return layer.h.floats() + p * share.state_block() + (output ? share.row(1) : 0);
      };
      for (std::int64_t begin = 0; begin < R_; begin += few_rows) {
        const std::int64_t count = std::min(few_rows, R_ - begin);
        input.write(p, begin, count, [&](float* rows) {
          collect(work_, begin, count, from, rows);
          if (output || work_.starts.empty()) return;
          for (std::int64_t i = 0; i < count; ++i)  // the state before a document's first step is zero
            if (work_.starts[begin + i] != 0) std::fill_n(rows + i * W, W, 0.0F);
        });
      }
    });
  }

  /// Weights that were dropped get no gradient.
  void drop_weights(std::int64_t l) {
    const WeightInfo& weight = s_.layout.rnn(l, NetworkLayout::Part::weight_hh);
    pool_.run_ranges(weight.size, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      float* some = gradient(weight) + begin;
      masks_.weights(l, some, some, begin, end - begin);
    });
  }

  std::vector<Group> layer(std::int64_t l) const {
    using Part = NetworkLayout::Part;
    const auto part = [&](Part which) { return gradient(s_.layout.rnn(l, which)); };
    const auto gates = [](const StreamShare& share, std::int64_t at) -> const Buffer& {
      return share.layers[at].gates;
    };
    std::vector<Group> groups;
    for (int slot = 0; slot < s_.cell.slots; ++slot) {
      const bool x = s_.cell.takes_x(slot), h = s_.cell.takes_h(slot);
      Group group{gates, l, slot * s_.Hb, s_.Hb, s_.gates(slot, 1, 1), {}, {}};
      if (h) group.products.push_back({&work_.inputs[0], part(Part::weight_hh)});
      if (h) group.biases.push_back(part(Part::bias_hh));
      if (x && l > 0) group.products.push_back({&work_.inputs[1], part(Part::weight_ih)});
      if (x) group.biases.push_back(part(Part::bias_ih));
      if (x && l == 0) group.table_block = (slot - s_.cell.x_first) * s_.Hb;
      groups.push_back(std::move(group));
    }
    return groups;
  }

  Group logits() const {
    const auto source = [](const StreamShare& share, std::int64_t) -> const Buffer& { return share.logits; };
    const NetworkLayout& layout = s_.layout;
    return {source,
            0,
            0,
            s_.Vb,
            s_.symbols(1),
            {{&work_.inputs[1], gradient(layout.decoder_weight())}},
            {gradient(layout.decoder_bias())}};
  }

  void run(const std::vector<Group>& groups) {
    const std::int64_t tasks = (groups[0].blocks + blocks_a_task - 1) / blocks_a_task;
    pool_.run(tasks * static_cast<std::int64_t>(groups.size()), [&](std::int64_t i) {
      const Group& group = groups[i / tasks];
      const std::int64_t block = i % tasks * blocks_a_task, blocks = std::min(blocks_a_task, group.blocks - block);
      thread_local Buffer sums;
      sums.reserve(static_cast<std::int64_t>(group.products.size()) * s_.Hb * blocks * W * W);
      alignas(64) float bias[blocks_a_task * W] = {};
      float* table = nullptr;
      if (group.table_block >= 0) {
        table = work_.table_gradient.floats() + (group.table_block + block) * U_ * W;
        std::fill_n(table, blocks * U_ * W, 0.0F);
      }
      run({group, block, blocks, sums.floats(), bias, table});
    });
  }

  void run(const Task& task) {
    for (std::int64_t begin = 0; begin < R_; begin += few_rows) add_rows(task, begin, std::min(few_rows, R_ - begin));
    for (std::int64_t b = 0; b < task.blocks; ++b) {
      const BlockedAxis::Span rows = task.group.rows.span(task.block + b);
      for (float* out : task.group.biases) std::copy_n(task.bias + b * W, rows.valid, out + rows.offset);
    }
    const float* sums = task.sums;
    for (const Group::Product& product : task.group.products) {
      write_sums(task, s_.hidden(1), sums, product.gradient);
      sums += s_.Hb * task.blocks * W * W;
    }
    if (task.table) input_weights(task);
  }

  /// Adds rows [begin, begin + count) of the window to the sums.
  void add_rows(const Task& task, std::int64_t begin, std::int64_t count) {
    thread_local RowMatrix results;  // gradients by the matrices' results
    results.reserve(s_.format, task.blocks, few_rows);
    for (std::int64_t b = 0; b < task.blocks; ++b)
      results.write(b, 0, count, [&](float* rows) {
        const std::int64_t block = task.group.first + task.block + b;
        const auto from = [&](const StreamShare& share) {
          return task.group.source(share, task.group.layer).floats() + block * share.block();
        };
        collect(work_, begin, count, from, rows);
        sum_rows(rows, task.bias + b * W, count);
        if (task.table) scatter_rows(rows, work_.table_row.data() + begin, task.table + b * U_ * W, count);
      });
    float* sums = task.sums;
    for (const Group::Product& product : task.group.products) {
      multiply_transposed(results, task.blocks, *product.input, s_.Hb, begin, count,
                          {sums, task.blocks * W * W, begin > 0});
      sums += s_.Hb * task.blocks * W * W;
    }
  }

  /// The first layer's input is a table of symbols; from its gradient comes that of W_ih.
  void input_weights(const Task& task) {
    thread_local Buffer sums;
    sums.reserve(s_.Eb * task.blocks * W * W);
    gemm_f32({.m = task.blocks * W,
              .k = U_,
              .panels = s_.Eb,
              .a = task.table,
              .a_block = U_ * W,
              .a_transposed = true,
              .b = work_.embedded.floats(),
              .b_panel = U_ * W,
              .c = sums.floats(),
              .c_panel = task.blocks * W * W});
    write_sums(task, s_.embedding(1), sums.floats(), gradient(s_.layout.rnn(0, NetworkLayout::Part::weight_ih)));
  }

  /// The encoder's gradient: the table's, times W_ih.
  void encoder() {
    float* out = gradient(s_.layout.encoder());
    std::fill_n(out, s_.V * s_.E, 0.0F);
    pool_.run(s_.Eb, [&](std::int64_t p) {
      thread_local Buffer sums;
      sums.reserve(U_ * W);
      multiply(float_rows(work_.table_gradient.floats(), U_ * W, U_), packed_.layers[0].x_backward, {p, 1},
               {sums.floats(), 0});
      const std::int64_t valid = std::min(W, s_.E - p * W);
      for (std::int64_t u = 0; u < U_; ++u) {
        float *from = sums.floats() + u * W, *to = out + work_.symbols[u] * s_.E + p * W;
        drop_input(s_, work_, p, u, from);
        for (std::int64_t j = 0; j < valid; ++j) to[j] += from[j];
      }
    });
  }

  const PaddedShape& s_;
  const PackedNetwork& packed_;
  Workspace& work_;
  Masks masks_;
  float* gradients_;
  ThreadPool& pool_;
  std::int64_t R_, U_;
};
}  // namespace

void weight_gradients(const PaddedShape& shape, const PackedNetwork& packed, Workspace& work, float* gradients,
                      ThreadPool& pool) {
  WeightGradients(shape, packed, work, gradients, pool).run();
}
}  // namespace charnn
