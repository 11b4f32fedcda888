#pragma once
#include <array>
#include <string_view>

namespace charnn {
/// What the kernels may use of a CPU, best first: each name also allows those after it.
inline constexpr std::array<const char*, 6> cpu_levels{"amx", "avx512_bf16", "avx512", "avx2", "sse4", "plain"};

/// From now on the kernels use nothing better than that level. False: no such name.
bool limit_cpu(std::string_view level);
}  // namespace charnn
