// The weights' gradients: for every matrix, (gradient by its result)^T x (its input), summed over all rows of a window,
// one product over all steps. The rows are taken in the order of the text, whichever thread has made them, so that the
// sums do not depend on how many threads there are.
#include <algorithm>

#include "fast/fused_network.h"
#include "kernels/vector_kernels.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;
constexpr std::int64_t blocks_a_task = 4;     ///< 64 rows of a gradient
constexpr std::int64_t rows_at_a_time = 256;  ///< of the window: their inputs stay near for the next block of gradients
constexpr std::int64_t input_bytes = 1 << 24;  ///< of the inputs made ready at once

/// One matrix that a group of gates (or the logits) comes from.
struct Product {
  const float* input;  ///< as factor B: [blocks][K][16]
  Axis columns;        ///< of the weight
  float* gradient;
};

/// Gradients by the results of some matrices: `blocks` blocks of each part's `source`, from `first` on.
struct Group {
  const Buffer& (*source)(const FusedPart& part, std::int64_t layer);
  std::int64_t layer, first, blocks;
  Axis rows;  ///< of the weights
  std::vector<Product> products;
  std::vector<float*> biases;
  std::int64_t table_block = -1;  ///< first layer: the group's place in the table of symbols
};

const Buffer& gates_of(const FusedPart& part, std::int64_t layer) {
  return part.layers[static_cast<std::size_t>(layer)].gates;
}
const Buffer& logits_of(const FusedPart& part, std::int64_t) { return part.logits; }

/// Copies rows [begin, begin + count) of the window, T x B, from the parts; from(part) is where its first row lies.
template <class From>
void collect(const FusedWorkspace& work, std::int64_t begin, std::int64_t count, From from, float* out) {
  const std::int64_t streams = work.window.streams;
  for (std::int64_t r = begin; r < begin + count;) {
    const std::int64_t t = r / streams, b = r % streams;
    const auto part =
        std::find_if(work.parts.begin(), work.parts.end(), [&](const FusedPart& p) { return b < p.begin + p.count; });
    const std::int64_t n = std::min(part->begin + part->count - b, begin + count - r);
    out = std::copy_n(from(*part) + (t * part->count + b - part->begin) * C, n * C, out);
    r += n;
  }
}

class WeightGradients {
 public:
  WeightGradients(const NetworkShape& shape, const PackedNetwork& packed, FusedWorkspace& work,
                  const std::vector<torch::Tensor>& gradients, ThreadPool& pool)
      : s_(shape),
        packed_(packed),
        work_(work),
        gradients_(gradients),
        pool_(pool),
        R_(work.window.steps * work.window.streams),
        U_(static_cast<std::int64_t>(work.symbols.size())) {
    const std::int64_t bytes_a_row = 2 * planes(s_.format) * elements(s_.format, s_.Hp) * 4;
    const std::int64_t rows = std::clamp(input_bytes / bytes_a_row / rows_at_a_time, std::int64_t{1}, R_);
    stretch_ = std::min(rows * rows_at_a_time, round_up(R_, 2 * C));
    K_ = elements(s_.format, stretch_);
    input_ = planes(s_.format) * s_.Hb * K_ * C;
  }

  void run() {
    work_.inputs.reserve(2 * input_);
    work_.table_gradient.reserve(s_.cell.x_count * s_.Hp * U_);
    const Group logits{logits_of,
                       0,
                       0,
                       s_.Vb,
                       s_.symbols(1),
                       {{input(1), s_.hidden(1), gradient(s_.decoder_weight())}},
                       {gradient(s_.decoder_bias())}};
    for (std::int64_t l = 0; l <= s_.L; ++l) {
      const std::vector<Group> groups = l < s_.L ? layer(l) : std::vector<Group>{logits};
      for (begin_ = 0; begin_ < R_; begin_ += stretch_) {
        if (l < s_.L) collect_inputs(l, false, 0);
        if (l > 0) collect_inputs(l - 1, true, 1);
        run(groups);
      }
    }
    encoder();
  }

 private:
  float* gradient(std::size_t index) const { return gradients_[index].data_ptr<float>(); }
  float* input(int which) const { return work_.inputs.floats() + which * input_; }

  /// The state before a document's first step is zero.
  void clear_starts(std::int64_t begin, std::int64_t count, float* rows) const {
    if (work_.starts.empty()) return;
    for (std::int64_t i = 0; i < count; ++i)
      if (work_.starts[static_cast<std::size_t>(begin + i)] != 0) std::fill_n(rows + i * C, C, 0.0F);
  }

  /// Makes layer l's output (or the state before each step) the second factor of products, for the stretch at hand.
  void collect_inputs(std::int64_t l, bool output, int which) {
    const bool dropped = output && fused::drops(s_, work_.window);
    pool_.run(s_.Hb, [&](std::int64_t p) {
      const auto from = [&](const FusedPart& part) {
        const FusedPart::Layer& layer = part.layers[static_cast<std::size_t>(l)];
        if (dropped) return layer.out.floats() + p * part.rows * C;
        return layer.h.floats() + p * (part.rows + part.count) * C + (output ? part.count * C : 0);
      };
      const std::int64_t end = std::min(begin_ + stretch_, R_);
      const auto collect_rows = [&](std::int64_t begin, std::int64_t count, float* out) {
        collect(work_, begin, count, from, out);
        if (!output) clear_starts(begin, count, out);
      };
      if (s_.format == Format::f32) return collect_rows(begin_, end - begin_, input(which) + p * K_ * C);
      alignas(64) float rows[rows_at_a_time * C];
      for (std::int64_t begin = begin_; begin < end; begin += rows_at_a_time) {
        const std::int64_t count = std::min(rows_at_a_time, end - begin), padded = round_up(count, 2 * C);
        collect_rows(begin, count, rows);
        std::fill(rows + count * C, rows + padded * C, 0.0F);
        pair_rows(s_.format, rows, reinterpret_cast<std::uint32_t*>(input(which)) + (p * K_ + (begin - begin_) / 2) * C,
                  s_.Hb * K_ * C, padded);
      }
    });
  }

  std::vector<Group> layer(std::int64_t l) const {
    using Kind = NetworkShape::Kind;
    std::vector<Group> groups;
    for (int slot = 0; slot < s_.cell.slots; ++slot) {
      const bool x = slot >= s_.cell.x_first && slot < s_.cell.x_first + s_.cell.x_count;
      const bool h = slot >= s_.cell.h_first && slot < s_.cell.h_first + s_.cell.h_count;
      Group group{gates_of, l, slot * s_.Hb, s_.Hb, s_.gates(slot, 1, 1), {}, {}};
      if (h) group.products.push_back({input(0), s_.hidden(1), gradient(s_.index(l, Kind::weight_hh))});
      if (h) group.biases.push_back(gradient(s_.index(l, Kind::bias_hh)));
      if (x && l > 0) group.products.push_back({input(1), s_.hidden(1), gradient(s_.index(l, Kind::weight_ih))});
      if (x) group.biases.push_back(gradient(s_.index(l, Kind::bias_ih)));
      if (x && l == 0) group.table_block = (slot - s_.cell.x_first) * s_.Hb;
      groups.push_back(std::move(group));
    }
    return groups;
  }

  void run(const std::vector<Group>& groups) {
    const std::int64_t tasks = (groups[0].blocks + blocks_a_task - 1) / blocks_a_task;
    pool_.run(tasks * static_cast<std::int64_t>(groups.size()), [&](std::int64_t i) {
      const Group& group = groups[static_cast<std::size_t>(i / tasks)];
      const std::int64_t block = i % tasks * blocks_a_task;
      rows_of(group, block, std::min(blocks_a_task, group.blocks - block));
    });
  }

  /// The gradients' rows that belong to `blocks` blocks of a group.
  void rows_of(const Group& group, std::int64_t block, std::int64_t blocks) {
    std::int64_t panels = 0;
    for (const Product& product : group.products) panels += product.columns.count();
    thread_local Buffer sums, chunk, pairs;  // [panels][16 blocks][16]; [blocks][rows][16]
    sums.reserve(panels * blocks * C * C);
    chunk.reserve(blocks * rows_at_a_time * C);
    pairs.reserve(planes(s_.format) * blocks * rows_at_a_time / 2 * C);
    alignas(64) float bias[blocks_a_task * C] = {};
    float* table =
        group.table_block < 0 ? nullptr : work_.table_gradient.floats() + (group.table_block + block) * U_ * C;
    if (begin_ > 0) read(group, block, blocks, sums.floats(), bias);
    if (table && begin_ == 0) std::fill_n(table, blocks * U_ * C, 0.0F);
    const std::int64_t end = std::min(begin_ + stretch_, R_);
    for (std::int64_t begin = begin_; begin < end; begin += rows_at_a_time) {
      const std::int64_t count = std::min(rows_at_a_time, end - begin), padded = round_up(count, 2 * C);
      for (std::int64_t b = 0; b < blocks; ++b) {
        float* rows = chunk.floats() + b * rows_at_a_time * C;
        collect(
            work_, begin, count,
            [&](const FusedPart& part) {
              return group.source(part, group.layer).floats() + (group.first + block + b) * part.rows * C;
            },
            rows);
        sum_rows(rows, bias + b * C, count);
        if (table) scatter_rows(rows, work_.table_row.data() + begin, table + b * U_ * C, count);
        if (s_.format == Format::f32) continue;
        std::fill(rows + count * C, rows + padded * C, 0.0F);
        pair_rows(s_.format, rows, pairs.pairs() + b * rows_at_a_time / 2 * C, blocks * rows_at_a_time / 2 * C, padded);
      }
      const bool f32 = s_.format == Format::f32;
      multiply_rows(group, blocks, f32 ? chunk.floats() : pairs.floats(), begin, f32 ? count : padded / 2,
                    sums.floats());
    }
    for (std::int64_t b = 0; b < blocks; ++b) {
      const Axis::Place rows = group.rows.place(block + b);
      for (float* out : group.biases) std::copy_n(bias + b * C, rows.valid, out + rows.offset);
    }
    each_row(group, block, blocks, sums.floats(),
             [](float* sum, float* gradient, std::int64_t n) { std::copy_n(sum, n, gradient); });
    if (table && end == R_) first_layer(group, block, blocks, table, chunk);
  }

  /// Takes up the sums of the stretches before.
  static void read(const Group& group, std::int64_t block, std::int64_t blocks, float* sums, float* bias) {
    each_row(group, block, blocks, sums,
             [](float* sum, const float* gradient, std::int64_t n) { std::copy_n(gradient, n, sum); });
    for (std::int64_t b = 0; b < blocks; ++b) {
      const Axis::Place rows = group.rows.place(block + b);
      for (const float* from : group.biases) std::copy_n(from + rows.offset, rows.valid, bias + b * C);
    }
  }

  /// Adds the part of `k` elements of the window to the sums.
  void multiply_rows(const Group& group, std::int64_t blocks, const float* from, std::int64_t begin, std::int64_t k,
                     float* sums) const {
    const std::int64_t chunk = elements(s_.format, rows_at_a_time) * C;
    for (const Product& product : group.products) {
      multiply(s_.format, {.m = blocks * C,
                           .k = k,
                           .panels = product.columns.count(),
                           .a = from,
                           .a_block = chunk,
                           .a_plane = blocks * chunk,
                           .a_transposed = true,
                           .b = product.input + elements(s_.format, begin - begin_) * C,
                           .b_panel = K_ * C,
                           .b_plane = s_.Hb * K_ * C,
                           .c = sums,
                           .c_panel = blocks * C * C,
                           .accumulate = begin > 0});
      sums += product.columns.count() * blocks * C * C;
    }
  }

  /// Calls copy(sums, their place in the weight's gradient, number) for what exists of a group's sums, [panels][16
  /// blocks][16] for each of its matrices.
  template <class Copy>
  static void each_row(const Group& group, std::int64_t block, std::int64_t blocks, float* sums, Copy copy) {
    for (const Product& product : group.products)
      for (std::int64_t p = 0; p < product.columns.count(); ++p) {
        const Axis::Place columns = product.columns.place(p);
        for (std::int64_t b = 0; b < blocks; ++b, sums += C * C) {
          const Axis::Place rows = group.rows.place(block + b);
          for (std::int64_t i = 0; i < rows.valid; ++i)
            copy(sums + i * C, product.gradient + (rows.offset + i) * product.columns.size + columns.offset,
                 columns.valid);
        }
      }
  }

  /// The first layer's input is a table of symbols; from its gradient comes that of W_ih.
  void first_layer(const Group& group, std::int64_t block, std::int64_t blocks, const float* table, Buffer& sums) {
    sums.reserve(s_.Eb * blocks * C * C);
    gemm_f32({.m = blocks * C,
              .k = U_,
              .panels = s_.Eb,
              .a = table,
              .a_block = U_ * C,
              .a_transposed = true,
              .b = work_.embedded.floats(),
              .b_panel = U_ * C,
              .c = sums.floats(),
              .c_panel = blocks * C * C});
    Group input = group;
    input.products = {{nullptr, s_.embedding(1), gradient(s_.index(0, NetworkShape::Kind::weight_ih))}};
    each_row(input, block, blocks, sums.floats(),
             [](const float* sum, float* gradient, std::int64_t n) { std::copy_n(sum, n, gradient); });
  }

  /// The encoder's gradient: the table's, times W_ih.
  void encoder() {
    float* out = gradient(0);
    std::fill_n(out, s_.V * s_.E, 0.0F);
    pool_.run(s_.Eb, [&](std::int64_t p) {
      thread_local Buffer sums;
      sums.reserve(U_ * C);
      Gemm gemm = Factor{work_.table_gradient.floats(), U_ * C, 0}.times(packed_.layers[0].x_backward.gemm(p, 1), U_);
      gemm.c = sums.floats();
      gemm_f32(gemm);
      const std::int64_t valid = std::min(C, s_.E - p * C);
      for (std::int64_t u = 0; u < U_; ++u)
        std::copy_n(sums.floats() + u * C, valid, out + work_.symbols[static_cast<std::size_t>(u)] * s_.E + p * C);
    });
  }

  const NetworkShape& s_;
  const PackedNetwork& packed_;
  FusedWorkspace& work_;
  const std::vector<torch::Tensor>& gradients_;
  ThreadPool& pool_;
  std::int64_t R_, U_;
  std::int64_t begin_ = 0, stretch_;  ///< rows of the window whose inputs are at hand
  std::int64_t K_;                    ///< those rows as elements of a sum
  std::int64_t input_;                ///< elements of one of the two inputs
};

}  // namespace

void fused::weight_gradients(const NetworkShape& shape, const PackedNetwork& packed, FusedWorkspace& work,
                             const std::vector<torch::Tensor>& gradients, ThreadPool& pool) {
  WeightGradients(shape, packed, work, gradients, pool).run();
}

}  // namespace charnn
