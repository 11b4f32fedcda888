#include "core/train/schedule.h"
#include <cmath>
#include <functional>
#include <numbers>
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

/// Half a cosine from `from` at p = 0 to `to` at p = 1.
double cosine(double from, double to, double p) {
  return (from + to) / 2 + (from - to) / 2 * std::cos(std::numbers::pi * p);
}

TEST(Schedule, EachKindFollowsItsClosedForm) {
  // Warm-up 20, then 400 steps; lr 0.5, lowest 0.05. p: share of the 400 steps.
  ScheduleConfig config{.warmup_steps = 20, .final_lr_ratio = 0.1, .total_steps = 420};
  config.period_steps = 50;
  config.period_growth = 2;
  config.decay_factor = 0.7;
  config.rise_fraction = 0.25;
  config.stable_fraction = 0.6;
  const std::function<double(double)> expected[] = {
      [](double) { return 0.5; },
      [](double p) { return 0.5 - 0.45 * p; },
      [](double p) { return cosine(0.5, 0.05, p); },
      [](double p) {  // cycles of 50, 100, 200, 400
        const double t = 400 * p;
        if (t < 50) return cosine(0.5, 0.05, t / 50);
        if (t < 150) return cosine(0.5, 0.05, (t - 50) / 100);
        if (t < 350) return cosine(0.5, 0.05, (t - 150) / 200);
        return cosine(0.5, 0.05, (t - 350) / 400);
      },
      [](double p) { return 0.5 * std::pow(0.7, std::floor(400 * p / 50)); },
      [](double p) { return 0.5 * std::exp(std::log(0.1) * p); },
      [](double p) { return p < 0.25 ? cosine(0.02, 0.5, p / 0.25) : cosine(0.5, 0.05, (p - 0.25) / 0.75); },
      [](double p) { return p < 0.6 ? 0.5 : 0.5 - 0.45 * (p - 0.6) / 0.4; },
      [](double p) { return 0.5 * std::sqrt(20 / (20 + 400 * p)); },
      [](double) { return 0.5; },
  };
  for (std::size_t kind = 0; kind < schedule_names.size(); ++kind) {
    config.kind = static_cast<ScheduleKind>(kind);
    for (std::int64_t step = 0; step < 20; ++step)
      EXPECT_NEAR(learning_rate(config, 0.5, step, 420), expected[kind](0) * static_cast<double>(step + 1) / 20, 1e-15)
          << schedule_names[kind] << " " << step;
    for (std::int64_t step = 20; step <= 420; ++step)
      EXPECT_NEAR(learning_rate(config, 0.5, step, 420), expected[kind](static_cast<double>(step - 20) / 400), 1e-12)
          << schedule_names[kind] << " " << step;
  }
}

TEST(Schedule, PeriodsOfZeroAreAFifth) {
  ScheduleConfig config{.kind = ScheduleKind::step, .warmup_steps = 0};
  EXPECT_DOUBLE_EQ(learning_rate(config, 1, 19, 100), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(config, 1, 20, 100), 0.5);
  config.kind = ScheduleKind::cosine_restarts;
  config.period_growth = 1;
  for (const std::int64_t step : {0, 20, 80}) EXPECT_DOUBLE_EQ(learning_rate(config, 1, step, 100), 1.0);
  EXPECT_LT(learning_rate(config, 1, 99, 100), 0.1);
}

TEST(Schedule, LostMomentsAreWarmedUpAgain) {
  const ScheduleConfig config{.kind = ScheduleKind::linear, .warmup_steps = 10, .final_lr_ratio = 0};
  const double unbroken = learning_rate(config, 1, 60, 110);
  EXPECT_DOUBLE_EQ(unbroken, 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(config, 1, 60, 110, 60), unbroken);
  EXPECT_DOUBLE_EQ(learning_rate(config, 1, 60, 110, 0), 0.1 * unbroken);
  EXPECT_DOUBLE_EQ(learning_rate(config, 1, 69, 110, 9), learning_rate(config, 1, 69, 110));
}

TEST(Schedule, PlateauDropsAfterItsPatience) {
  const ScheduleConfig config{
      .kind = ScheduleKind::plateau, .final_lr_ratio = 0.2, .decay_factor = 0.5, .plateau_patience = 2};
  RateState rate;
  EXPECT_FALSE(observe_validation(rate, config, 2.0));
  EXPECT_FALSE(observe_validation(rate, config, 2.1));
  EXPECT_FALSE(observe_validation(rate, config, 1.9)) << "a new best: the count begins anew";
  EXPECT_FALSE(observe_validation(rate, config, 1.9)) << "not better";
  EXPECT_EQ(rate.factor, 1);
  EXPECT_TRUE(observe_validation(rate, config, 1.95));
  EXPECT_EQ(rate.factor, 0.5);
  for (int i = 0; i < 20; ++i) observe_validation(rate, config, 3);
  EXPECT_EQ(rate.factor, 0.2) << "not below final_lr_ratio";
  RateState other;
  for (int i = 0; i < 20; ++i)
    EXPECT_FALSE(observe_validation(other, {.kind = ScheduleKind::cosine}, 3)) << "plateau's own affair";
}

TEST(Schedule, SaysWhatNeedsAnEnd) {
  ScheduleConfig config{.kind = ScheduleKind::step};
  EXPECT_TRUE(needs_horizon(config));
  config.period_steps = 100;
  EXPECT_FALSE(needs_horizon(config));
  EXPECT_TRUE(needs_horizon({.kind = ScheduleKind::wsd}));
  EXPECT_FALSE(needs_horizon({.kind = ScheduleKind::inverse_sqrt}));
}

}  // namespace
}  // namespace charnn
