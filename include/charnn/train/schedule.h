#pragma once

#include <cstdint>

#include "charnn/train/train_config.h"

namespace charnn {

/// Learning rate of the step numbered `step` (from 0), a pure function: nothing to save, nothing to reset.
/// Warm-up: peak * (step + 1) / warmup_steps. Then constant, or a half cosine (Loshchilov, Hutter 2016,
/// "SGDR") from peak to peak * final_lr_ratio at `total_steps`, and that value ever after.
double learning_rate(const ScheduleConfig& schedule, double peak, std::int64_t step,
                     std::int64_t total_steps);

}  // namespace charnn
