#pragma once
// Comes before Highway where kernels are compiled. Scalable vectors have no size that the compiler knows, so they
// cannot be kept in arrays, as sums of a tile are. ARM runs NEON then, which all of its 64-bit processors have.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
