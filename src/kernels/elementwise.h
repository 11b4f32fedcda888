#pragma once
#include <cstddef>
#include <cstdint>

namespace charnn {
// All that is not a product or a cell. Arrays are aligned to 64 bytes, and n is a multiple of 16, unless said
// otherwise.

/// Which of this CPU's instructions the kernels use: "AVX3", as Highway names it.
const char* instruction_set();

/// Softmax and cross-entropy of some rows of blocked logits (see gemm.h).
struct CrossEntropy {
  std::int64_t rows = 0;
  std::int64_t panels = 0;  ///< blocks of 16 symbols; what pads the last one has logits of -1e30
  float* logits = nullptr;  ///< row r, symbol v at logits[v / 16 * panel + r * 16 + v % 16]
  std::ptrdiff_t panel = 0;
  const std::int64_t* targets = nullptr;  ///< [rows]; negative: the row does not count
  float* nats = nullptr;                  ///< [rows], written: -log p(target), 0 where the row does not count
  float gradient_scale = 0;  ///< not 0: logits become gradient_scale * (p - one hot), 0 where the row does not count
};
void cross_entropy(const CrossEntropy& rows);

/// One step of Adam for n weights (any n, any alignment). `scale` multiplies the gradient first.
struct AdamStep {
  float lr_over_correction1 = 0;  ///< lr / (1 - beta1^t)
  float correction2 = 1;          ///< sqrt(1 - beta2^t)
  float beta1_rest = 0;           ///< 1 - beta1
  float beta2 = 0, beta2_rest = 0;
  float eps = 0, l2_penalty = 0, scale = 1;
  float keep = 1;  ///< decoupled decay: multiplies the weight
};
void adam_step(const AdamStep& step, float* weight, const float* gradient, float* exp_avg, float* exp_avg_sq,
               std::int64_t n);

/// Sum of squares of n floats (any n, any alignment).
double sum_of_squares(const float* x, std::int64_t n);

/// out[j] = in[j] / (1 - p) with probability 1 - p, else 0. The choice depends only on `seed` and `first` + j, so the
/// backward pass can repeat it. in may be out. Any n, any alignment.
void dropout(const float* in, float* out, std::int64_t n, double p, std::uint64_t seed, std::uint32_t first);

/// out[j] = exp((x[j] - shift) * scale); any n, any alignment. Correct to 2e-7 of the result.
void exp_of(const float* x, float shift, float scale, float* out, std::int64_t n);

// Rows of 16 floats:
/// out[r] = row
void fill_rows(const float* row, float* out, std::int64_t rows);
/// out[r] = table[index[r]]
void gather_rows(const float* table, const std::int32_t* index, float* out, std::int64_t rows);
/// table[index[r]] += x[r]
void scatter_rows(const float* x, const std::int32_t* index, float* table, std::int64_t rows);
/// out += sum of x[r] over r
void sum_rows(const float* x, float* out, std::int64_t rows);
}  // namespace charnn
