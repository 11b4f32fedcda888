#pragma once

#include "charnn/model/gemm.h"

namespace charnn {

/// Which instructions multiply bfloat16 here.
enum class Bf16Unit { none, avx512_bf16, amx };
Bf16Unit bf16_unit();

/// C = A B with pairs of bfloat16; see Gemm. Only where bf16_unit() is not none.
void gemm_bf16(const Gemm& gemm);

}  // namespace charnn
