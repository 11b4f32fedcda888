#include "core/train/plan.h"
#include <algorithm>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/train/schedule.h"

namespace charnn {
std::int64_t plan_steps(const TrainConfig& train, std::int64_t windows_per_epoch) {
  const std::int64_t by_epochs = train.epochs * windows_per_epoch;
  if (by_epochs == 0 || train.max_steps == 0) return by_epochs + train.max_steps;
  return std::min(by_epochs, train.max_steps);
}

void require_plan(const TrainConfig& train, const ScheduleConfig& schedule) {
  if (train.epochs == 0 && train.max_steps == 0 && train.max_minutes == 0)
    fail_input("train.epochs, train.max_steps and train.max_minutes are all 0", "at least one limit",
               "set one of them, for example --epochs 10");
  const char* kind = name_of(schedule.kind, schedule_names);
  if (needs_horizon(schedule) && train.epochs == 0 && train.max_steps == 0 && schedule.total_steps == 0)
    fail_input(fmt::format("schedule.kind is {}, but nothing says where it ends", kind),
               "epochs, max_steps or schedule.total_steps", "set one of them, or --schedule constant");
  if (schedule.kind == ScheduleKind::plateau && train.eval_every == 0)
    fail_input("schedule.kind is plateau, but train.eval_every is 0", "evaluations, which it depends on",
               "set --eval-every, for example to 500");
  if (schedule.kind == ScheduleKind::exponential && schedule.final_lr_ratio == 0)
    fail_input("schedule.kind is exponential, and schedule.final_lr_ratio is 0",
               "a share above 0: no exponential ever reaches 0", "for example --final-lr-ratio 0.05");
}
}  // namespace charnn
