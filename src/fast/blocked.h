#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "core/model/model_config.h"
#include "kernels/gemm.h"
#include "kernels/thread_pool.h"

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

/// How a cell's gates are stored: as `slots` groups of H units. Those that the input and those that the state feeds are
/// neighbours, so that each is one matrix product:
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

/// One side of a PyTorch matrix and the blocks of 16 it is padded to. Block b stands for the elements first[b / blocks]
/// + 16 (b % blocks) onwards, of which those below `size` exist.
struct Axis {
  std::int64_t size = 0;            ///< elements of one group
  std::int64_t blocks = 0;          ///< blocks of one group
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

/// A PyTorch matrix packed as factor B of products: all that gemm() needs to know.
struct Panels {
  /// `k` is the axis summed over, `n` that of the result's columns.
  void pack(const float* weight, const Axis& k, const Axis& n, Format format, ThreadPool& pool);

  /// A product with `count` panels beginning with `first`, `apart` from one to the next; A and C are to be filled in.
  Gemm gemm(std::int64_t first, std::int64_t count, std::int64_t apart = 1) const;

  Buffer data;
  std::int64_t k = 0;      ///< elements along k
  std::int64_t plane = 0;  ///< elements of a plane
};

}  // namespace charnn
