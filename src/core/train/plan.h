#pragma once
#include <cstdint>
#include "core/train/train_config.h"

namespace charnn {
/// Step at which epochs or max_steps end the plan; 0: neither is set.
std::int64_t plan_steps(const TrainConfig& train, std::int64_t windows_per_epoch);

/// Throws Error (usage) if no limit is set, or the schedule needs a horizon that nothing gives, or evaluations that are
/// not made.
void require_plan(const TrainConfig& train, const ScheduleConfig& schedule);
}  // namespace charnn
