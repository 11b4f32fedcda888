#include "charnn/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace charnn {

double learning_rate(const ScheduleConfig& schedule, double peak, std::int64_t step,
                     std::int64_t total_steps) {
  if (step < schedule.warmup_steps)
    return peak * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup_steps);
  if (schedule.kind == ScheduleKind::constant) return peak;
  const double length = static_cast<double>(std::max<std::int64_t>(total_steps - schedule.warmup_steps, 1));
  const double progress = std::min(1.0, static_cast<double>(step - schedule.warmup_steps) / length);
  const double last = peak * schedule.final_lr_ratio;
  return last + (peak - last) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

}  // namespace charnn
