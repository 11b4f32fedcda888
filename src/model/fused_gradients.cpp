// The weights' gradients: for every matrix, (gradient by its result)^T x (its input), summed over all rows of a window.
//
// The two factors are read as they lie, the first one transposed. With bf16, where the products want pairs that are
// neighbours along the rows summed over, both are paired anew: rows 2 q and 2 q + 1 ("rows" buffers).
#include <algorithm>

#include "charnn/model/fused_network.h"
#include "charnn/model/vector_kernels.h"

namespace charnn {
namespace {

constexpr std::int64_t C = block_columns;
constexpr std::int64_t blocks_a_task = 4;  ///< 64 rows of a gradient

/// One matrix fed by the gradients that a task looks at.
struct Product {
  const float* input;   ///< floats, or pairs of rows
  std::int64_t block;   ///< from one block of its columns to the next
  Axis columns;         ///< of the weight's gradient
  float* gradient;
};

/// Some rows of gradients: blocks [block, block + blocks) of `from`, which are those rows of the weights.
struct Task {
  const float* from;  ///< [blocks][R][16]
  Axis rows;          ///< of the weights, one group; strides differ from weight to weight and are not used
  std::int64_t block, blocks;
  std::vector<Product> products;
  std::vector<float*> biases;
  bool first_layer = false;
  std::int64_t table_block = 0;  ///< first layer: block of the table
};

/// Pads the pairs of R rows to what a product needs.
std::int64_t paired_rows(std::int64_t rows) { return round_up(rows, 2 * C) / 2; }

/// Pairs rows [begin, begin + 2 pairs) of a block [rows][16]; those beyond `rows` count as zero.
void pair_rows(const float* block, std::int64_t rows, std::int64_t begin, std::int64_t pairs, std::uint32_t* out) {
  const std::int64_t whole = std::clamp<std::int64_t>((rows - begin) / 2, 0, pairs);
  to_bf16_pairs(block + begin * C, block + (begin + 1) * C, 2 * C, out, whole);
  std::int64_t done = whole;
  if (done < pairs && begin + 2 * done < rows) {  // an odd one is left
    to_bf16_pairs(block + (begin + 2 * done) * C, nullptr, 2 * C, out + done * C, 1);
    ++done;
  }
  std::fill(out + done * C, out + pairs * C, 0U);
}

class WeightGradients {
 public:
  WeightGradients(const NetworkShape& shape, const PackedNetwork& packed, FusedWorkspace& work,
                  const std::vector<torch::Tensor>& gradients)
      : s_(shape), packed_(packed), work_(work), gradients_(gradients), R_(work.rows),
        U_(static_cast<std::int64_t>(work.symbols.size())) {}

  void run(ThreadPool& pool) {
    if (s_.precision == Precision::bf16) pair_inputs(pool);
    Buffer& table = work_.layers[0].table_gradient;
    table.reserve(s_.cell.x_count * s_.Hp * U_);
    const std::vector<Task> tasks = make_tasks();
    pool.run(static_cast<std::int64_t>(tasks.size()),
             [&](std::int64_t i) { run(tasks[static_cast<std::size_t>(i)]); });
    encoder(pool);
  }

 private:
  float* gradient(std::size_t index) const { return gradients_[index].data_ptr<float>(); }

  /// The inputs as pairs of rows.
  void pair_inputs(ThreadPool& pool) {
    const std::int64_t pairs = paired_rows(R_);
    for (FusedWorkspace::Layer& layer : work_.layers) {
      layer.h_rows.reserve(pairs * s_.Hp);
      layer.out_rows.reserve(pairs * s_.Hp);
    }
    pool.run(s_.L * s_.Hb, [&](std::int64_t i) {
      FusedWorkspace::Layer& layer = work_.layers[static_cast<std::size_t>(i / s_.Hb)];
      const std::int64_t p = i % s_.Hb, state_block = (R_ + work_.streams) * C;
      const float* h = layer.h.floats() + p * state_block;
      const float* out = fused::drops(s_, work_) ? layer.out.floats() + p * R_ * C : h + work_.streams * C;
      pair_rows(h, R_, 0, pairs, layer.h_rows.pairs() + p * pairs * C);
      pair_rows(out, R_, 0, pairs, layer.out_rows.pairs() + p * pairs * C);
    });
  }

  /// Layer l's output as second factor.
  Product output_of(std::int64_t l, float* gradient) const {
    const FusedWorkspace::Layer& layer = work_.layers[static_cast<std::size_t>(l)];
    Product product{layer.out_rows.floats(), paired_rows(R_) * C, s_.hidden(1), gradient};
    if (s_.precision == Precision::fp32) {
      const bool dropped = fused::drops(s_, work_);
      product.input = dropped ? layer.out.floats() : layer.h.floats() + work_.streams * C;
      product.block = (dropped ? R_ : R_ + work_.streams) * C;
    }
    return product;
  }

  void add_tasks(std::vector<Task>& tasks, const Task& whole, std::int64_t blocks) const {
    for (std::int64_t b = 0; b < blocks; b += blocks_a_task) {
      Task task = whole;
      task.block = b;
      task.blocks = std::min(blocks_a_task, blocks - b);
      tasks.push_back(std::move(task));
    }
  }

  std::vector<Task> make_tasks() const {
    using Kind = NetworkShape::Kind;
    std::vector<Task> tasks;
    for (std::int64_t l = 0; l < s_.L; ++l)
      for (int slot = 0; slot < s_.cell.slots; ++slot) {
        const FusedWorkspace::Layer& layer = work_.layers[static_cast<std::size_t>(l)];
        const bool x = slot >= s_.cell.x_first && slot < s_.cell.x_first + s_.cell.x_count;
        const bool h = slot >= s_.cell.h_first && slot < s_.cell.h_first + s_.cell.h_count;
        Task task{layer.gates.floats() + slot * s_.Hb * R_ * C, s_.gates(slot, 1, 1), 0, 0, {}, {}};
        if (h) {
          const bool fp32 = s_.precision == Precision::fp32;
          task.products.push_back({fp32 ? layer.h.floats() : layer.h_rows.floats(),
                                   (fp32 ? R_ + work_.streams : paired_rows(R_)) * C, s_.hidden(1),
                                   gradient(s_.index(l, Kind::weight_hh))});
          task.biases.push_back(gradient(s_.index(l, Kind::bias_hh)));
        }
        if (x) task.biases.push_back(gradient(s_.index(l, Kind::bias_ih)));
        if (x && l > 0) task.products.push_back(output_of(l - 1, gradient(s_.index(l, Kind::weight_ih))));
        task.first_layer = x && l == 0;
        task.table_block = (slot - s_.cell.x_first) * s_.Hb;
        add_tasks(tasks, task, s_.Hb);
      }
    const Task decoder{work_.logits.floats(), s_.symbols(1), 0, 0,
                       {output_of(s_.L - 1, gradient(s_.decoder_weight()))},
                       {gradient(s_.decoder_bias())}};
    add_tasks(tasks, decoder, s_.Vb);
    return tasks;
  }

  void run(const Task& task) const {
    std::int64_t panels = 0;
    for (const Product& product : task.products) panels += product.columns.count();
    thread_local Buffer sums;  // [panels][16 blocks][16]
    sums.reserve(panels * task.blocks * C * C);
    // A stretch of rows at a time, so that the inputs' are still near for the next block of gradients.
    constexpr std::int64_t stretch = 256;
    for (std::int64_t begin = 0; begin < R_; begin += stretch)
      multiply_rows(task, begin, std::min(stretch, R_ - begin), sums.floats());
    const float* sum = sums.floats();
    for (const Product& product : task.products) {
      write(task, product, sum);
      sum += product.columns.count() * task.blocks * C * C;
    }
    write_biases(task);
    if (task.first_layer) first_layer(task);
  }

  void multiply_rows(const Task& task, std::int64_t begin, std::int64_t rows, float* sums) const {
    const bool bf16 = s_.precision == Precision::bf16;
    const float* a = task.from + task.block * R_ * C + begin * C;
    std::int64_t a_block = R_ * C, k = rows;
    if (bf16) {
      thread_local Buffer paired;
      k = paired_rows(rows);
      a_block = k * C;
      paired.reserve(task.blocks * a_block);
      for (std::int64_t b = 0; b < task.blocks; ++b)
        pair_rows(task.from + (task.block + b) * R_ * C, R_, begin, k, paired.pairs() + b * a_block);
      a = paired.floats();
    }
    for (const Product& product : task.products) {
      multiply(s_.precision, {.m = task.blocks * C,
                              .k = k,
                              .panels = product.columns.count(),
                              .a = a,
                              .a_block = a_block,
                              .a_transposed = true,
                              .b = product.input + elements(s_.precision, begin) * C,
                              .b_panel = product.block,
                              .c = sums,
                              .c_panel = task.blocks * C * C,
                              .accumulate = begin > 0});
      sums += product.columns.count() * task.blocks * C * C;
    }
  }

  /// Copies the part of `sum` that exists to the gradient.
  void write(const Task& task, const Product& product, const float* sum) const {
    const std::int64_t width = product.columns.size;
    for (std::int64_t b = 0; b < task.blocks; ++b) {
      const Axis::Place rows = task.rows.place(task.block + b);
      for (std::int64_t p = 0; p < product.columns.count(); ++p) {
        const Axis::Place columns = product.columns.place(p);
        for (std::int64_t i = 0; i < rows.valid; ++i)
          std::copy_n(sum + ((p * task.blocks + b) * C + i) * C, columns.valid,
                      product.gradient + (rows.offset + i) * width + columns.offset);
      }
    }
  }

  void write_biases(const Task& task) const {
    for (std::int64_t b = 0; b < task.blocks; ++b) {
      alignas(64) float sum[C];
      sum_rows(task.from + (task.block + b) * R_ * C, sum, R_);
      const Axis::Place rows = task.rows.place(task.block + b);
      for (float* bias : task.biases) std::copy_n(sum, rows.valid, bias + rows.offset);
    }
  }

  /// The first layer's input is a table of symbols: its gradient, and from that the gradient of W_ih.
  void first_layer(const Task& task) const {
    float* table = work_.layers[0].table_gradient.floats() + (task.table_block + task.block) * U_ * C;
    std::fill_n(table, task.blocks * U_ * C, 0.0F);
    for (std::int64_t b = 0; b < task.blocks; ++b)
      scatter_rows(task.from + (task.block + b) * R_ * C, work_.table_index.data(), table + b * U_ * C, R_);
    thread_local Buffer sums;
    sums.reserve(s_.Eb * task.blocks * C * C);
    gemm_f32({.m = task.blocks * C,
              .k = U_,
              .panels = s_.Eb,
              .a = table,
              .a_block = U_ * C,
              .a_transposed = true,
              .b = work_.embedded.floats(),
              .b_panel = U_ * C,
              .c = sums.floats(),
              .c_panel = task.blocks * C * C});
    write(task, {nullptr, 0, s_.embedding(1), gradient(s_.index(0, NetworkShape::Kind::weight_ih))}, sums.floats());
  }

  /// The encoder's gradient: the table's, times W_ih.
  void encoder(ThreadPool& pool) const {
    float* out = gradient(0);
    std::fill_n(out, s_.V * s_.E, 0.0F);
    const std::int64_t k = s_.cell.x_count * s_.Hp;
    pool.run(s_.Eb, [&](std::int64_t p) {
      thread_local Buffer sums;
      sums.reserve(U_ * C);
      gemm_f32({.m = U_,
                .k = k,
                .panels = 1,
                .a = work_.layers[0].table_gradient.floats(),
                .a_block = U_ * C,
                .b = packed_.layers[0].x_backward.floats() + p * k * C,
                .c = sums.floats()});
      const std::int64_t valid = std::min(C, s_.E - p * C);
      for (std::int64_t u = 0; u < U_; ++u)
        std::copy_n(sums.floats() + u * C, valid, out + work_.symbols[static_cast<std::size_t>(u)] * s_.E + p * C);
    });
  }

  const NetworkShape& s_;
  const PackedNetwork& packed_;
  FusedWorkspace& work_;
  const std::vector<torch::Tensor>& gradients_;
  std::int64_t R_, U_;
};

}  // namespace

void fused::weight_gradients(const NetworkShape& shape, const PackedNetwork& packed, FusedWorkspace& work,
                             const std::vector<torch::Tensor>& gradients, ThreadPool& pool) {
  WeightGradients(shape, packed, work, gradients).run(pool);
}

}  // namespace charnn
