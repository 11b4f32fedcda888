#include "extras/lr_find/lr_range_test.h"
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include "core/base/random.h"
#include "tests/core/train/rig.h"

namespace charnn {
namespace {

using test::Rig;

/// Losses over rates from 1e-5 to 1; x: log10 of the rate.
std::vector<RangePoint> curve_of(const std::function<double(double x)>& loss, int count = 400) {
  std::vector<RangePoint> points;
  for (int i = 0; i < count; ++i) {
    const double x = -5 + 5.0 * i / (count - 1);
    points.push_back({std::pow(10, x), loss(x)});
  }
  return points;
}

TEST(SuggestLr, ReadsAParabola) {
  // From 4 at 1e-5 down to 2 at 1e-2; 95 % of the fall at a distance of sqrt(0.05) * 3 decades from there.
  const auto s = suggest_lr(curve_of([](double x) { return x < -5 ? 4 : 2 + 2 * (x + 2) * (x + 2) / 9; }));
  ASSERT_TRUE(s);
  EXPECT_NEAR(std::log10(s->lowest), -2, 0.03);
  EXPECT_NEAR(std::log10(s->enough), -2 - 3 * std::sqrt(0.05), 0.06);
  EXPECT_NEAR(s->lr, s->enough / 2, 0.03 * s->lr);
  EXPECT_LT(s->steepest, 2e-5) << "a parabola is steepest at its beginning";
}

TEST(SuggestLr, FindsTheSteepestFall) {
  const auto s = suggest_lr(curve_of([](double x) { return 3 - std::tanh(2 * (x + 3)); }));
  ASSERT_TRUE(s);
  EXPECT_NEAR(std::log10(s->steepest), -3, 0.05);
}

TEST(SuggestLr, BearsNoise) {
  Random random(3);
  const auto s =
      suggest_lr(curve_of([&](double x) { return 2 + 2 * (x + 2) * (x + 2) / 9 + 0.2 * (random.uniform() - 0.5); }));
  ASSERT_TRUE(s);
  EXPECT_NEAR(std::log10(s->enough), -2 - 3 * std::sqrt(0.05), 0.25);
}

TEST(SuggestLr, StillFallingAtTheEnd) {
  const auto s = suggest_lr(curve_of([](double x) { return 2 - x / 5; }));
  ASSERT_TRUE(s);
  EXPECT_GT(s->lowest, 0.9);
  EXPECT_TRUE(s->at_end);
  const auto rises = suggest_lr(curve_of([](double x) { return x < -0.5 ? 2 - x / 5 : 3 + x; }));
  ASSERT_TRUE(rises);
  EXPECT_FALSE(rises->at_end);
}

TEST(SuggestLr, IsTheNumberThatAPersonTypes) {
  const auto s = suggest_lr(curve_of([](double x) { return 2 + 2 * (x + 2) * (x + 2) / 9; }));
  ASSERT_TRUE(s);
  char text[16];
  std::snprintf(text, sizeof text, "%.2g", s->lr);
  EXPECT_EQ(s->lr, std::strtod(text, nullptr));
}

TEST(SuggestLr, SaysNothingWhereNothingIsLearned) {
  EXPECT_FALSE(suggest_lr(curve_of([](double) { return 3.0; })));
  EXPECT_FALSE(suggest_lr(curve_of([](double x) { return 3 + (x + 5); }))) << "only rising";
  EXPECT_FALSE(suggest_lr(curve_of([](double x) { return -x; }, 5))) << "exploded at once";
  EXPECT_FALSE(suggest_lr({}));
}

TEST(LrRangeTest, RatesRiseExponentiallyAndTheNetworkLearns) {
  Rig rig;
  const RangeCurve curve =
      lr_range_test(*rig.network, *rig.adam, *rig.batcher, {.min_lr = 1e-4, .max_lr = 0.1, .steps = 101});
  ASSERT_EQ(curve.points.size(), 101U);
  EXPECT_FALSE(curve.exploded);
  EXPECT_DOUBLE_EQ(curve.points[0].lr, 1e-4);
  EXPECT_NEAR(curve.points[50].lr, std::sqrt(1e-4 * 0.1), 1e-12);
  EXPECT_NEAR(curve.points[100].lr, 0.1, 1e-12);
  EXPECT_EQ(rig.adam->steps(), 101) << "one Adam for the whole test";
  EXPECT_TRUE(suggest_lr(curve.points));
}

TEST(LrRangeTest, EndsWhereTheLossExplodes) {
  Rig rig(Cell::rnn);
  rig.optimizer.clip_norm = 0;
  const RangeCurve curve =
      lr_range_test(*rig.network, *rig.adam, *rig.batcher, {.min_lr = 1e-4, .max_lr = 1000, .steps = 200});
  EXPECT_TRUE(curve.exploded);
  EXPECT_LT(curve.points.size(), 200U);
  test::poison(*rig.network);
  const RangeCurve none = lr_range_test(*rig.network, *rig.adam, *rig.batcher, {});
  EXPECT_TRUE(none.exploded);
  EXPECT_TRUE(none.points.empty());
}

TEST(LrRangeTest, BeginsEveryWindowAsTrainingWill) {
  const auto losses = [](CarriedState state) {
    Rig rig;
    const RangeTestConfig config{.min_lr = 1e-9, .max_lr = 2e-9, .steps = 2, .state = state};
    return lr_range_test(*rig.network, *rig.adam, *rig.batcher, config).points;
  };
  const auto carried = losses(CarriedState::carried), reset = losses(CarriedState::reset);
  EXPECT_EQ(carried[0].loss, reset[0].loss) << "both begin with zeros";
  EXPECT_NE(carried[1].loss, reset[1].loss);
}

TEST(LrRangeTest, TellsEveryStep) {
  struct Steps : Sink {
    void step(const StepInfo& info) override { seen.push_back(info); }
    std::vector<StepInfo> seen;
  } sink;
  Rig rig;
  const RangeCurve curve = lr_range_test(*rig.network, *rig.adam, *rig.batcher, {.steps = 20}, {}, &sink);
  ASSERT_EQ(sink.seen.size(), 20U);
  EXPECT_EQ(sink.seen[19].step, 20);
  EXPECT_EQ(sink.seen[0].chars, 4 * 20);
  EXPECT_EQ(sink.seen[7].lr, curve.points[7].lr);
  EXPECT_EQ(sink.seen[7].loss, curve.points[7].loss);
  EXPECT_GT(sink.seen[19].epoch, sink.seen[18].epoch);
}

TEST(LrRangeTest, CanBeStopped) {
  Rig rig;
  int left = 5;
  const RangeCurve curve = lr_range_test(*rig.network, *rig.adam, *rig.batcher, {}, [&] { return left-- == 0; });
  EXPECT_TRUE(curve.stopped);
  EXPECT_EQ(curve.points.size(), 5U);
}

}  // namespace
}  // namespace charnn
