#pragma once

#include <cstdint>
#include <vector>

#include "core/data/torch.h"
#include "core/model/model_config.h"

namespace charnn {

/// The three cells in plain loops, one stream and one step at a time: readable, no autograd, any floating type. The
/// stepper samples with them in float, and every faster path is held against them.
///
/// I input size, H hidden size, G gates (gate_count), a_ih = W_ih x + b_ih, a_hh = W_hh h + b_hh, both [G*H]; the
/// formulas are those of PyTorch's RNN, GRU and LSTM documentation:
///   rnn:  h' = tanh(a_ih + a_hh)
///   gru:  r = sigmoid(a_ih.r + a_hh.r), z = sigmoid(a_ih.z + a_hh.z), n = tanh(a_ih.n + r * a_hh.n),
///         h' = (1 - z) * n + z * h
///   lstm: i, f, o = sigmoid(a_ih + a_hh), g = tanh(a_ih.g + a_hh.g), c' = f * c + i * g, h' = o * tanh(c')
template <class T>
struct CellWeights {
  std::int64_t input = 0;   ///< I
  std::int64_t hidden = 0;  ///< H
  // Transposed against PyTorch's, so that the inner loop runs over neighbouring memory and can be vectorised.
  std::vector<T> weight_ih;  ///< [I, G*H]
  std::vector<T> weight_hh;  ///< [H, G*H]
  std::vector<T> bias_ih;    ///< [G*H]
  std::vector<T> bias_hh;    ///< [G*H]

  /// From PyTorch's tensors: weight_ih [G*H, I], weight_hh [G*H, H], biases [G*H].
  static CellWeights from(const torch::Tensor& weight_ih, const torch::Tensor& weight_hh, const torch::Tensor& bias_ih,
                          const torch::Tensor& bias_hh);
};

/// What one step leaves behind: needed as scratch memory forward, and by cell_backward().
template <class T>
struct CellTape {
  std::vector<T> x;       ///< [I] input
  std::vector<T> h_prev;  ///< [H] state before the step
  std::vector<T> c_prev;  ///< [H] lstm only
  std::vector<T> a_hh;    ///< [G*H]
  std::vector<T> gates;   ///< [G*H] after the non-linearity, in PyTorch's order (rnn: h' itself)
  std::vector<T> c;       ///< [H] c', lstm only
};

/// out [N] = bias [N] + in [K] * matrix [K, N]
template <class T>
void affine(const std::vector<T>& bias, const std::vector<T>& matrix, const T* in, std::int64_t in_size, T* out);

/// One step: reads x [I], replaces h [H] and, for lstm, c [H].
template <class T>
void cell_forward(Cell cell, const CellWeights<T>& weights, const T* x, T* h, T* c, CellTape<T>& tape);

/// The same step backwards. On entry dh [H] and dc [H] (lstm) hold the loss's gradient by the state after the step, on
/// return by the state before it. dx [I] is written; `gradient` (as large as `weights`) is added to.
template <class T>
void cell_backward(Cell cell, const CellWeights<T>& weights, const CellTape<T>& tape, T* dh, T* dc, T* dx,
                   CellWeights<T>& gradient);

}  // namespace charnn
