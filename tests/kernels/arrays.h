#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>

#include "fast/blocked.h"

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

inline Buffer copy_of(const Buffer& from) {
  Buffer to;
  to.reserve(from.size());
  std::memcpy(to.floats(), from.floats(), static_cast<std::size_t>(from.size()) * sizeof(float));
  return to;
}

inline bool same_bytes(const Buffer& a, const Buffer& b) {
  return a.size() == b.size() &&
         std::memcmp(a.floats(), b.floats(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

}  // namespace charnn::test
