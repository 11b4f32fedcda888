#include "fast/reference_cell.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace charnn {
namespace {

template <class T>
std::vector<T> to_vector(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().to(torch::kCPU, torch::CppTypeToScalarType<T>::value).contiguous();
  return {flat.data_ptr<T>(), flat.data_ptr<T>() + flat.numel()};
}

template <class T>
T sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}

/// Backwards through affine(): adds to its bias and matrix gradients and to d_in [in_size].
template <class T>
void affine_backward(const std::vector<T>& matrix, const T* in, std::int64_t in_size, const std::vector<T>& d_out,
                     std::vector<T>& d_bias, std::vector<T>& d_matrix, T* d_in) {
  const std::size_t n = d_out.size();
  for (std::size_t j = 0; j < n; ++j) d_bias[j] += d_out[j];
  for (std::int64_t k = 0; k < in_size; ++k) {
    const T* row = matrix.data() + static_cast<std::size_t>(k) * n;
    T* d_row = d_matrix.data() + static_cast<std::size_t>(k) * n;
    for (std::size_t j = 0; j < n; ++j) {
      d_row[j] += in[k] * d_out[j];
      d_in[k] += row[j] * d_out[j];
    }
  }
}

}  // namespace

template <class T>
CellWeights<T> CellWeights<T>::from(const torch::Tensor& weight_ih, const torch::Tensor& weight_hh,
                                    const torch::Tensor& bias_ih, const torch::Tensor& bias_hh) {
  return {weight_ih.size(1),           weight_hh.size(1),     to_vector<T>(weight_ih.t()),
          to_vector<T>(weight_hh.t()), to_vector<T>(bias_ih), to_vector<T>(bias_hh)};
}

template <class T>
void affine(const std::vector<T>& bias, const std::vector<T>& matrix, const T* in, std::int64_t in_size, T* out) {
  const std::int64_t n = static_cast<std::int64_t>(bias.size());
  T* __restrict sum = out;
  std::copy(bias.begin(), bias.end(), sum);
  for (std::int64_t k = 0; k < in_size; ++k) {
    const T* row = matrix.data() + k * n;
    const T factor = in[k];
    for (std::int64_t j = 0; j < n; ++j) sum[j] += factor * row[j];
  }
}

template <class T>
void cell_forward(Cell cell, const CellWeights<T>& w, const T* x, T* h, T* c, CellTape<T>& tape) {
  const std::int64_t H = w.hidden;
  tape.x.assign(x, x + w.input);
  tape.h_prev.assign(h, h + H);
  tape.a_hh.resize(w.bias_hh.size());
  tape.gates.resize(w.bias_ih.size());
  T* gate = tape.gates.data();  // a_ih first, then the gates themselves
  affine(w.bias_ih, w.weight_ih, x, w.input, gate);
  affine(w.bias_hh, w.weight_hh, h, H, tape.a_hh.data());
  const T* a_hh = tape.a_hh.data();
  switch (cell) {
    case Cell::rnn:
      for (std::int64_t j = 0; j < H; ++j) h[j] = gate[j] = std::tanh(gate[j] + a_hh[j]);
      break;
    case Cell::gru:
      for (std::int64_t j = 0; j < H; ++j) {
        const T r = gate[j] = sigmoid(gate[j] + a_hh[j]);
        const T z = gate[H + j] = sigmoid(gate[H + j] + a_hh[H + j]);
        const T n = gate[2 * H + j] = std::tanh(gate[2 * H + j] + r * a_hh[2 * H + j]);
        h[j] = (T(1) - z) * n + z * h[j];
      }
      break;
    case Cell::lstm:
      tape.c_prev.assign(c, c + H);
      tape.c.resize(static_cast<std::size_t>(H));
      for (std::int64_t j = 0; j < H; ++j) {
        const T i = gate[j] = sigmoid(gate[j] + a_hh[j]);
        const T f = gate[H + j] = sigmoid(gate[H + j] + a_hh[H + j]);
        const T g = gate[2 * H + j] = std::tanh(gate[2 * H + j] + a_hh[2 * H + j]);
        const T o = gate[3 * H + j] = sigmoid(gate[3 * H + j] + a_hh[3 * H + j]);
        tape.c[static_cast<std::size_t>(j)] = c[j] = f * c[j] + i * g;
        h[j] = o * std::tanh(c[j]);
      }
      break;
  }
}

template <class T>
void cell_backward(Cell cell, const CellWeights<T>& w, const CellTape<T>& tape, T* dh, T* dc, T* dx,
                   CellWeights<T>& gradient) {
  const std::int64_t H = w.hidden;
  const T* gate = tape.gates.data();
  std::vector<T> d_ih(w.bias_ih.size());  // gradient by a_ih
  std::vector<T> d_hh(w.bias_hh.size());  // and by a_hh
  std::vector<T> dh_prev(static_cast<std::size_t>(H), T(0));
  for (std::int64_t j = 0; j < H; ++j) {
    const std::size_t at = static_cast<std::size_t>(j);
    switch (cell) {
      case Cell::rnn: d_ih[at] = d_hh[at] = dh[j] * (T(1) - gate[j] * gate[j]); break;
      case Cell::gru: {
        const T r = gate[j], z = gate[H + j], n = gate[2 * H + j];
        const T d_n = dh[j] * (T(1) - z) * (T(1) - n * n);
        const T d_r = d_n * tape.a_hh[at + static_cast<std::size_t>(2 * H)] * r * (T(1) - r);
        const T d_z = dh[j] * (tape.h_prev[at] - n) * z * (T(1) - z);
        d_ih[at] = d_hh[at] = d_r;
        d_ih[at + static_cast<std::size_t>(H)] = d_hh[at + static_cast<std::size_t>(H)] = d_z;
        d_ih[at + static_cast<std::size_t>(2 * H)] = d_n;
        d_hh[at + static_cast<std::size_t>(2 * H)] = d_n * r;
        dh_prev[at] = dh[j] * z;
        break;
      }
      case Cell::lstm: {
        const T i = gate[j], f = gate[H + j], g = gate[2 * H + j], o = gate[3 * H + j];
        const T tanh_c = std::tanh(tape.c[at]);
        const T d_c = dc[j] + dh[j] * o * (T(1) - tanh_c * tanh_c);
        const T d_gate[4] = {d_c * g * i * (T(1) - i), d_c * tape.c_prev[at] * f * (T(1) - f), d_c * i * (T(1) - g * g),
                             dh[j] * tanh_c * o * (T(1) - o)};
        for (std::size_t k = 0; k < 4; ++k) {
          const std::size_t row = k * static_cast<std::size_t>(H) + at;
          d_ih[row] = d_hh[row] = d_gate[k];
        }
        dc[j] = d_c * f;
        break;
      }
    }
  }
  std::fill(dx, dx + w.input, T(0));
  affine_backward(w.weight_ih, tape.x.data(), w.input, d_ih, gradient.bias_ih, gradient.weight_ih, dx);
  affine_backward(w.weight_hh, tape.h_prev.data(), H, d_hh, gradient.bias_hh, gradient.weight_hh, dh_prev.data());
  std::copy(dh_prev.begin(), dh_prev.end(), dh);
}

template void affine(const std::vector<float>&, const std::vector<float>&, const float*, std::int64_t, float*);
template struct CellWeights<float>;
template struct CellWeights<double>;
template void cell_forward(Cell, const CellWeights<float>&, const float*, float*, float*, CellTape<float>&);
template void cell_forward(Cell, const CellWeights<double>&, const double*, double*, double*, CellTape<double>&);
template void cell_backward(Cell, const CellWeights<float>&, const CellTape<float>&, float*, float*, float*,
                            CellWeights<float>&);
template void cell_backward(Cell, const CellWeights<double>&, const CellTape<double>&, double*, double*, double*,
                            CellWeights<double>&);

}  // namespace charnn
