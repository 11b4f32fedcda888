#pragma once
#include <array>
#include <cstdint>

namespace charnn {
enum class Cell { rnn, gru, lstm };

/// The arrays of one step of one cell, forwards or backwards. Each has n floats (a multiple of 16), aligned to 64
/// bytes.
struct CellArrays {
  /// Forwards: in the sums, out the activations. Backwards: in the activations, out the loss's gradients by the sums.
  std::array<float*, 4> slot{};
  const float* h_prev = nullptr;  ///< gru only
  const float* c_prev = nullptr;  ///< lstm only; forwards it may be c
  float* h = nullptr;             ///< forwards: written
  float* c = nullptr;             ///< lstm only. Forwards: written
  const float* dh = nullptr;      ///< gradient by h
  float* dh_prev = nullptr;       ///< gru only: gets added what reaches h_prev directly, not through the sums; or null
  float* dc = nullptr;            ///< lstm only: in the gradient by c, out by c_prev
};

/// All that is particular to a cell. The sums of its gates are stored in `slots` groups of hidden units; those that the
/// input feeds are neighbours, and those that the state feeds, so that each is one matrix product:
///   rnn   h               input 0        state 0
///   gru   n_x, r, z, n_h  input 0 1 2    state 1 2 3    (n = tanh(n_x + r n_h))
///   lstm  i, f, g, o      input 0 1 2 3  state 0 1 2 3
/// The formulas are in cell_formulas.inc.
struct CellKind {
  int gates;  ///< PyTorch's: rows of the weight matrices in units of the hidden size
  int slots;
  int x_first, x_count;
  int h_first, h_count;
  std::array<int, 4> gate_of_slot;  ///< in PyTorch's order
  bool has_c;
  void (*forward)(const CellArrays& arrays, std::int64_t n);
  void (*backward)(const CellArrays& arrays, std::int64_t n);

  bool takes_x(int slot) const { return slot >= x_first && slot < x_first + x_count; }
  bool takes_h(int slot) const { return slot >= h_first && slot < h_first + h_count; }
};

/// tanh and the sigmoid are rational approximations, correct to 4e-7 (absolute) everywhere; NaN stays NaN.
const CellKind& kind_of(Cell cell);
}  // namespace charnn
