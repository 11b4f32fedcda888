#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "charnn/base/thread_pool.h"
#include "charnn/model/gemm.h"
#include "charnn/model/model_config.h"

namespace charnn {

/// Memory of the fused path: 4-byte elements (floats or bf16 pairs), aligned to 64 bytes, all zero at first. It only
/// grows, so that a training loop stops allocating after its first step.
class Buffer {
 public:
  /// Makes room for n elements. What was there is lost, and all is zero, if `n` is more than ever before.
  void reserve(std::int64_t n);

  float* floats() noexcept { return static_cast<float*>(memory_.get()); }
  const float* floats() const noexcept { return static_cast<const float*>(memory_.get()); }
  std::uint32_t* pairs() noexcept { return static_cast<std::uint32_t*>(memory_.get()); }
  const std::uint32_t* pairs() const noexcept { return static_cast<const std::uint32_t*>(memory_.get()); }
  std::int64_t size() const noexcept { return size_; }

 private:
  struct Free {
    void operator()(void* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  std::int64_t size_ = 0;
};

/// How a cell's gates are stored: as `slots` groups of H units. Those that the input and those that the state feeds
/// are neighbours, so that each is one matrix product:
///   rnn   h               input 0       state 0
///   gru   n_x, r, z, n_h  input 0 1 2   state 1 2 3    (n = tanh(n_x + r n_h))
///   lstm  i, f, g, o      input 0 1 2 3 state 0 1 2 3
struct CellLayout {
  int slots;
  int x_first, x_count;
  int h_first, h_count;
  std::array<int, 4> gate;  ///< of each slot: which gate, in PyTorch's order
};
CellLayout layout_of(Cell cell);

/// One side of a PyTorch matrix and the blocks of 16 it is padded to. Block b stands for the elements
/// first[b / blocks] + 16 (b % blocks) onwards, of which those below `size` exist.
struct Axis {
  std::int64_t size = 0;    ///< elements of one group
  std::int64_t blocks = 0;  ///< blocks of one group
  std::vector<std::int64_t> first;  ///< where each group begins
  std::int64_t stride = 1;          ///< between neighbours in memory

  std::int64_t count() const noexcept { return blocks * static_cast<std::int64_t>(first.size()); }
  std::int64_t padded() const noexcept { return count() * block_columns; }
  /// Offset in memory and number of existing elements of block b.
  struct Place {
    std::int64_t offset;
    std::int64_t valid;
  };
  Place place(std::int64_t b) const noexcept;
};

/// Packs a PyTorch matrix as B of a product (see gemm.h): `k` is the axis summed over, `n` that of the result's columns.
void pack_panels(const float* weight, const Axis& k, const Axis& n, Precision precision, Buffer& out, ThreadPool& pool);

/// Elements along k of an operand in the given precision: bf16 counts pairs.
constexpr std::int64_t elements(Precision precision, std::int64_t k) { return precision == Precision::bf16 ? k / 2 : k; }

/// The product in the given precision.
void multiply(Precision precision, const Gemm& gemm);

/// Turns float blocks [blocks][rows][16] into an operand: bf16 pairs block 2 i with block 2 i + 1, as pack_panels does.
/// Rows [begin, begin + count) of `rows`.
void to_operand(const float* from, std::int64_t from_block, std::uint32_t* to, std::int64_t to_block,
                std::int64_t blocks, std::int64_t count);

}  // namespace charnn
