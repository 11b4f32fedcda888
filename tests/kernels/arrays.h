#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include "kernels/buffer.h"

namespace charnn::test {

/// n aligned floats, uniform in [low, high).
inline Buffer random_floats(std::int64_t n, unsigned seed, float low = -1, float high = 1) {
  Buffer buffer;
  buffer.reserve(n);
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  for (std::int64_t i = 0; i < n; ++i) buffer.floats()[i] = uniform(random);
  return buffer;
}

inline Buffer filled(std::int64_t n, float value) {
  Buffer buffer;
  buffer.reserve(n);
  std::fill_n(buffer.floats(), n, value);
  return buffer;
}

inline bool same_bytes(const Buffer& a, const Buffer& b) {
  return a.size() == b.size() &&
         std::memcmp(a.floats(), b.floats(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

/// The bfloat16 nearest to a finite x, ties to even.
inline float as_bf16(float x) {
  const std::uint32_t below = std::bit_cast<std::uint32_t>(x) & 0xffff0000U, above = below + 0x10000U;
  const double to_below = std::abs(static_cast<double>(x) - std::bit_cast<float>(below));
  const double to_above = std::abs(static_cast<double>(x) - std::bit_cast<float>(above));
  const bool below_is_even = (below >> 16) % 2 == 0;
  return std::bit_cast<float>(to_below < to_above || (to_below == to_above && below_is_even) ? below : above);
}

}  // namespace charnn::test
