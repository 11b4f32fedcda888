// The weights' gradients: for every matrix, (gradient by its result)^T x (its input), summed over all rows of a window,
// one product over all steps. The rows are taken in the order of the text, whichever thread has made them, so that the
// sums do not depend on the number of threads.
#include "fast/workspace.h"
#include "kernels/elementwise.h"
#include "kernels/thread_pool.h"

namespace charnn {
namespace {
constexpr std::int64_t W = block_width;
constexpr std::int64_t blocks_a_task = 4;                ///< 64 rows of a gradient
constexpr std::int64_t few_rows = RowMatrix::most_rows;  ///< of the window: their inputs stay near for the next block
constexpr std::int64_t input_bytes = 1 << 24;            ///< of the inputs collected at once

/// One matrix that a group of gates (or the logits) comes from.
struct Product {
  const RowMatrix* input;
  BlockedAxis columns;  ///< of the weight
  float* gradient;
};

/// Gradients by the results of some matrices: `blocks` blocks of each share's `source`, from `first` on.
struct Group {
  const Buffer& (*source)(const StreamShare& share, std::int64_t layer);
  std::int64_t layer, first, blocks;
  BlockedAxis rows;  ///< of the weights
  std::vector<Product> products;
  std::vector<float*> biases;
  std::int64_t table_block = -1;  ///< first layer: the group's place in the table of symbols
};

/// What one thread works on at a time: some blocks of a group.
struct Task {
  const Group& group;
  std::int64_t block, blocks;
  float* sums;   ///< [panels][16 blocks][16] for each product
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

/// Calls copy(sums, their place in the weight's gradient, number) for the sums of a task that exist.
template <class Copy>
void each_row(const Task& task, const std::vector<Product>& products, float* sums, Copy copy) {
  for (const Product& product : products)
    for (std::int64_t p = 0; p < product.columns.count(); ++p) {
      const BlockedAxis::Span columns = product.columns.span(p);
      for (std::int64_t b = 0; b < task.blocks; ++b, sums += W * W) {
        const BlockedAxis::Span rows = task.group.rows.span(task.block + b);
        for (std::int64_t i = 0; i < rows.valid; ++i)
          copy(sums + i * W, product.gradient + (rows.offset + i) * product.columns.size + columns.offset,
               columns.valid);
      }
    }
}

void write_row(const float* sums, float* gradient, std::int64_t n) { std::copy_n(sums, n, gradient); }

class WeightGradients {
 public:
  WeightGradients(const PaddedShape& shape, const PackedNetwork& packed, Workspace& work, float* gradients,
                  ThreadPool& pool)
      : s_(shape),
        packed_(packed),
        work_(work),
        gradients_(gradients),
        pool_(pool),
        R_(work.window.steps * work.window.streams),
        U_(work.symbol_count()) {
    const std::int64_t bytes_a_row = 2 * planes(s_.format) * elements(s_.format, s_.Hp) * 4;
    const std::int64_t rows = std::clamp(input_bytes / bytes_a_row / few_rows, std::int64_t{1}, R_);
    chunk_ = std::min(rows * few_rows, round_up(R_, 2 * W));
    for (RowMatrix& input : work.inputs) input.reserve(s_.format, s_.Hb, chunk_);
  }

  void run() {
    work_.table_gradient.reserve(s_.cell.x_count * s_.Hp * U_);
    for (std::int64_t l = 0; l <= s_.L; ++l) {
      const std::vector<Group> groups = l < s_.L ? layer(l) : std::vector<Group>{logits()};
      for (begin_ = 0; begin_ < R_; begin_ += chunk_) {
        if (l < s_.L) collect_inputs(l, false, work_.inputs[0]);
        if (l > 0) collect_inputs(l - 1, true, work_.inputs[1]);
        run(groups);
      }
    }
    encoder();
  }

 private:
  float* gradient(const WeightInfo& weight) const { return gradients_ + weight.offset; }

  /// Collects layer l's output, or the state before each step, for this chunk of rows.
  void collect_inputs(std::int64_t l, bool output, RowMatrix& input) {
    const bool dropped = output && work_.drops_out(s_);
    pool_.run(s_.Hb, [&](std::int64_t p) {
      const auto from = [&](const StreamShare& share) {
        const StreamShare::Layer& layer = share.layers[static_cast<std::size_t>(l)];
        if (dropped) return layer.out.floats() + p * share.block();
        return layer.h.floats() + p * share.state_block() + (output ? share.row(1) : 0);
      };
      const std::int64_t end = std::min(begin_ + chunk_, R_);
      for (std::int64_t begin = begin_; begin < end; begin += few_rows) {
        const std::int64_t count = std::min(few_rows, end - begin);
        input.write(p, begin - begin_, count, [&](float* rows) {
          collect(work_, begin, count, from, rows);
          if (!output) clear_starts(begin, count, rows);
        });
      }
    });
  }

  /// The state before a document's first step is zero.
  void clear_starts(std::int64_t begin, std::int64_t count, float* rows) const {
    if (work_.starts.empty()) return;
    for (std::int64_t i = 0; i < count; ++i)
      if (work_.starts[static_cast<std::size_t>(begin + i)] != 0) std::fill_n(rows + i * W, W, 0.0F);
  }

  std::vector<Group> layer(std::int64_t l) const {
    using Part = NetworkLayout::Part;
    std::vector<Group> groups;
    for (int slot = 0; slot < s_.cell.slots; ++slot) {
      const bool x = s_.cell.takes_x(slot), h = s_.cell.takes_h(slot);
      const auto part = [&](Part which) { return gradient(s_.layout.rnn(l, which)); };
      const auto gates = [](const StreamShare& share, std::int64_t at) -> const Buffer& {
        return share.layers[static_cast<std::size_t>(at)].gates;
      };
      Group group{gates, l, slot * s_.Hb, s_.Hb, s_.gates(slot, 1, 1), {}, {}};
      if (h) group.products.push_back({&work_.inputs[0], s_.hidden(1), part(Part::weight_hh)});
      if (h) group.biases.push_back(part(Part::bias_hh));
      if (x && l > 0) group.products.push_back({&work_.inputs[1], s_.hidden(1), part(Part::weight_ih)});
      if (x) group.biases.push_back(part(Part::bias_ih));
      if (x && l == 0) group.table_block = (slot - s_.cell.x_first) * s_.Hb;
      groups.push_back(std::move(group));
    }
    return groups;
  }

  Group logits() const {
    return {[](const StreamShare& share, std::int64_t) -> const Buffer& { return share.logits; },
            0,
            0,
            s_.Vb,
            s_.symbols(1),
            {{&work_.inputs[1], s_.hidden(1), gradient(s_.layout.decoder_weight())}},
            {gradient(s_.layout.decoder_bias())}};
  }

  void run(const std::vector<Group>& groups) {
    const std::int64_t tasks = (groups[0].blocks + blocks_a_task - 1) / blocks_a_task;
    pool_.run(tasks * static_cast<std::int64_t>(groups.size()), [&](std::int64_t i) {
      const Group& group = groups[static_cast<std::size_t>(i / tasks)];
      const std::int64_t block = i % tasks * blocks_a_task, blocks = std::min(blocks_a_task, group.blocks - block);
      std::int64_t panels = 0;
      for (const Product& product : group.products) panels += product.columns.count();
      thread_local Buffer sums;
      sums.reserve(panels * blocks * W * W);
      alignas(64) float bias[blocks_a_task * W] = {};
      float* table =
          group.table_block < 0 ? nullptr : work_.table_gradient.floats() + (group.table_block + block) * U_ * W;
      run({group, block, blocks, sums.floats(), bias, table});
    });
  }

  void run(const Task& task) {
    if (begin_ > 0) resume(task);
    if (task.table && begin_ == 0) std::fill_n(task.table, task.blocks * U_ * W, 0.0F);
    const std::int64_t end = std::min(begin_ + chunk_, R_);
    for (std::int64_t begin = begin_; begin < end; begin += few_rows)
      add_rows(task, begin, std::min(few_rows, end - begin));
    for (std::int64_t b = 0; b < task.blocks; ++b) {
      const BlockedAxis::Span rows = task.group.rows.span(task.block + b);
      for (float* out : task.group.biases) std::copy_n(task.bias + b * W, rows.valid, out + rows.offset);
    }
    each_row(task, task.group.products, task.sums, write_row);
    if (task.table && end == R_) input_weights(task);
  }

  /// Reads the sums of the chunks before.
  static void resume(const Task& task) {
    each_row(task, task.group.products, task.sums,
             [](float* sums, const float* gradient, std::int64_t n) { std::copy_n(gradient, n, sums); });
    for (std::int64_t b = 0; b < task.blocks; ++b) {
      const BlockedAxis::Span rows = task.group.rows.span(task.block + b);
      for (const float* from : task.group.biases) std::copy_n(from + rows.offset, rows.valid, task.bias + b * W);
    }
  }

  /// Adds rows [begin, begin + count) of the window to the sums.
  void add_rows(const Task& task, std::int64_t begin, std::int64_t count) {
    thread_local RowMatrix results;  // gradients by the matrices' results
    results.reserve(s_.format, task.blocks, few_rows);
    for (std::int64_t b = 0; b < task.blocks; ++b)
      results.write(b, 0, count, [&](float* rows) {
        const auto from = [&](const StreamShare& share) {
          return task.group.source(share, task.group.layer).floats() +
                 (task.group.first + task.block + b) * share.block();
        };
        collect(work_, begin, count, from, rows);
        sum_rows(rows, task.bias + b * W, count);
        if (task.table) scatter_rows(rows, work_.table_row.data() + begin, task.table + b * U_ * W, count);
      });
    float* sums = task.sums;
    for (const Product& product : task.group.products) {
      multiply_transposed(results, task.blocks, *product.input, product.columns.count(), begin - begin_, count,
                          {sums, task.blocks * W * W, begin > 0});
      sums += product.columns.count() * task.blocks * W * W;
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
    each_row(task, {{nullptr, s_.embedding(1), gradient(s_.layout.rnn(0, NetworkLayout::Part::weight_ih))}},
             sums.floats(), write_row);
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
      for (std::int64_t u = 0; u < U_; ++u)
        std::copy_n(sums.floats() + u * W, valid, out + work_.symbols[static_cast<std::size_t>(u)] * s_.E + p * W);
    });
  }

  const PaddedShape& s_;
  const PackedNetwork& packed_;
  Workspace& work_;
  float* gradients_;
  ThreadPool& pool_;
  std::int64_t R_, U_;
  std::int64_t begin_ = 0, chunk_;  ///< the rows of the window whose inputs have been collected
};
}  // namespace

void weight_gradients(const PaddedShape& shape, const PackedNetwork& packed, Workspace& work, float* gradients,
                      ThreadPool& pool) {
  WeightGradients(shape, packed, work, gradients, pool).run();
}
}  // namespace charnn
