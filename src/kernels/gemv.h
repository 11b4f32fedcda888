#pragma once

#include <cstddef>
#include <cstdint>

namespace charnn {

/// sums[i] += sum over k of x[k] W[k][i] for `panels` (at most 8) rows of 16 sums each; row p of the sums lies at
/// sums[p] and W is [k][panels][16], floats or, with `bf16`, bfloat16. Sums and weights are aligned to 64 bytes,
/// bfloat16 weights to 32. Sums run over rising k.
struct Gemv {
  const void* weights;
  bool bf16;
  const float* x;
  std::int64_t k;
  int panels;
  float* sums[8];
};
void gemv(const Gemv& gemv);

}  // namespace charnn
