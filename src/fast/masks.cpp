#include "fast/masks.h"
#include <algorithm>
#include "kernels/elementwise.h"
#include "kernels/gemm.h"

namespace charnn {
void Masks::after(std::int64_t layer, std::int64_t p, std::int64_t t, std::int64_t begin, std::int64_t count,
                  const float* in, float* out) const {
  dropout(in, out, count * block_width, rate_after(layer), seed(layer),
          static_cast<std::uint32_t>((p * rows() + row(t, begin)) * block_width));
}

void Masks::input(std::int64_t p, std::int64_t row, float* block) const {
  dropout(block, block, block_width, rate_of_input(), seed(config_.layers),
          static_cast<std::uint32_t>((p * rows() + row) * block_width));
}

void Masks::symbols(float* factors, std::int64_t n) const {
  std::fill_n(factors, n, 1.0F);
  dropout(factors, factors, n, rate_of_symbols(), seed(config_.layers + 1), 0);
}

void Masks::weights(std::int64_t layer, const float* in, float* out, std::int64_t first, std::int64_t n) const {
  dropout(in, out, n, rate_of_weights(), seed(config_.layers + 2 + layer), static_cast<std::uint32_t>(first));
}
}  // namespace charnn
