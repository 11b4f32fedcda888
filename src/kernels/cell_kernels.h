#pragma once

#include <cstdint>

namespace charnn {

/// The cells' element-wise parts, vectorised; the formulas are those of reference_cell.h. Every array has n floats (a
/// multiple of 16) and is aligned to 64 bytes. tanh and the sigmoid are rational approximations, correct to 4e-7
/// (absolute) everywhere; NaN stays NaN.

/// Four gates of some units. lstm: i, f, g, o. gru: n (its part from the input), r, z, n (its part from the state).
struct Gates {
  float* at[4];
};

/// Forward: gates hold the sums on entry and the activations on return. c may be c_prev.
void lstm_forward(const Gates& gates, const float* c_prev, float* c, float* h, std::int64_t n);
/// gru keeps the state's part of n as it is, for the way back.
void gru_forward(const Gates& gates, const float* h_prev, float* h, std::int64_t n);
void rnn_forward(float* gate, float* h, std::int64_t n);

/// Backward: dh is the loss's gradient by h. On return the gates hold the gradients of their sums; dc, by c on entry,
/// is by c_prev; what reaches h_prev directly, not through the gates, is added to dh_prev (gru; may be null).
void lstm_backward(const Gates& gates, const float* c_prev, const float* c, const float* dh, float* dc, std::int64_t n);
void gru_backward(const Gates& gates, const float* h_prev, const float* dh, float* dh_prev, std::int64_t n);
void rnn_backward(float* gate, const float* dh, std::int64_t n);

/// out = tanh(x) and sigmoid(x), as the cells compute them.
void tanh_array(const float* x, float* out, std::int64_t n);
void sigmoid_array(const float* x, float* out, std::int64_t n);

}  // namespace charnn
