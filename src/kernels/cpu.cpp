#include "kernels/cpu.h"
#include <algorithm>
#include <cstdint>
#include <hwy/targets.h>
#include "kernels/gemm.h"

namespace charnn {
bool limit_cpu(std::string_view level) {
  // Of Highway's targets, of which a better one is a lower bit.
  constexpr std::array<std::int64_t, cpu_levels.size()> best{1, 1, 1, HWY_AVX2, HWY_SSE4, HWY_EMU128};
  const auto found = std::find(cpu_levels.begin(), cpu_levels.end(), level) - cpu_levels.begin();
  if (found == std::ssize(cpu_levels)) return false;
  limit_bf16_unit(found == 0 ? Bf16Unit::amx : found == 1 ? Bf16Unit::avx512_bf16 : Bf16Unit::none);
  hwy::DisableTargets(best[found] - 1);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return true;
}
}  // namespace charnn
