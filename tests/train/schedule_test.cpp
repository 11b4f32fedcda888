#include "charnn/train/schedule.h"

#include <gtest/gtest.h>

namespace charnn {
namespace {

TEST(Schedule, WarmsUpLinearly) {
  const ScheduleConfig schedule{.kind = ScheduleKind::constant, .warmup_steps = 4};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 0.8, 0, 0), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 0.8, 3, 0), 0.8);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 0.8, 1000, 0), 0.8);
  EXPECT_DOUBLE_EQ(learning_rate({.kind = ScheduleKind::constant, .warmup_steps = 0}, 0.8, 0, 0), 0.8);
}

TEST(Schedule, CosineFallsToItsShareAndStays) {
  const ScheduleConfig schedule{.kind = ScheduleKind::cosine, .warmup_steps = 10, .final_lr_ratio = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1, 10, 110), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1, 60, 110), 0.55);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1, 110, 110), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1, 5000, 110), 0.1);
  for (std::int64_t step = 10; step < 109; ++step)
    EXPECT_GT(learning_rate(schedule, 1, step, 110), learning_rate(schedule, 1, step + 1, 110));
}

TEST(Schedule, WarmUpLongerThanTheRunIsHarmless) {
  const ScheduleConfig schedule{.kind = ScheduleKind::cosine, .warmup_steps = 100, .final_lr_ratio = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1, 49, 50), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1, 101, 50), 0.1);
}

}  // namespace
}  // namespace charnn
