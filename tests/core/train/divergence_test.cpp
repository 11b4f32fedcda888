#include <cmath>
#include <limits>
#include <gtest/gtest.h>
#include "core/train/monitor.h"

namespace charnn {
namespace {

using Verdict = DivergenceGuard::Verdict;
const double nan = std::numeric_limits<double>::quiet_NaN();
const double infinity = std::numeric_limits<double>::infinity();

struct Guard {
  TrainConfig config{};
  GuardState state{};
  DivergenceGuard guard{config, state, std::log(65.0)};

  Verdict feed(double loss, int times) {
    Verdict verdict = Verdict::good;
    for (int i = 0; i < times && verdict == Verdict::good; ++i) verdict = guard.judge(loss, 0.2);
    return verdict;
  }
};

TEST(DivergenceGuard, SmoothsWithoutBias) {
  Guard g;
  EXPECT_EQ(g.guard.smoothed(), 0);
  g.feed(2.5, 1);
  EXPECT_DOUBLE_EQ(g.guard.smoothed(), 2.5);
  g.feed(2.5, 30);
  EXPECT_DOUBLE_EQ(g.guard.smoothed(), 2.5);
}

TEST(DivergenceGuard, SkipsWhatIsNotFiniteAndLosesPatience) {
  Guard g;
  g.config.max_skipped_steps = 3;
  EXPECT_EQ(g.guard.judge(nan, 1), Verdict::skip);
  EXPECT_EQ(g.guard.judge(2, infinity), Verdict::skip);
  EXPECT_TRUE(g.guard.suspicious());
  EXPECT_EQ(g.guard.judge(2, 1), Verdict::good);
  EXPECT_FALSE(g.guard.suspicious());
  EXPECT_EQ(g.guard.judge(infinity, 1), Verdict::skip) << "the count began anew";
  EXPECT_EQ(g.guard.judge(2, nan), Verdict::skip);
  EXPECT_EQ(g.guard.judge(nan, nan), Verdict::diverged);
  EXPECT_EQ(g.state.skipped, 5);
  EXPECT_DOUBLE_EQ(g.guard.smoothed(), 2) << "only of finite losses";
}

TEST(DivergenceGuard, SeesARise) {
  Guard g;
  EXPECT_EQ(g.feed(1.5, 400), Verdict::good);
  EXPECT_EQ(g.feed(2.6, 400), Verdict::good) << "worse, but no explosion";
  Guard other;
  other.feed(1.5, 400);
  EXPECT_EQ(other.feed(4, 400), Verdict::diverged);
}

TEST(DivergenceGuard, AnUntrainedNetworkThatGetsFarWorseHasDiverged) {
  Guard g;
  EXPECT_EQ(g.feed(4.2, 400), Verdict::good);
  Guard other;
  EXPECT_EQ(other.feed(12, 400), Verdict::diverged);
}

TEST(DivergenceGuard, AHarderTextBecomesTheNewNormal) {
  Guard g;
  g.feed(1.0, 400);
  EXPECT_EQ(g.feed(1.9, 5000), Verdict::good);
  EXPECT_GT(g.guard.limit(), 3.2);
}

TEST(DivergenceGuard, RollingBackInVainEnds) {
  Guard g;
  g.feed(1.5, 400);
  int rollbacks = 0;
  for (; !g.guard.hopeless(); ++rollbacks) {
    EXPECT_EQ(g.feed(5, 1000), Verdict::diverged);
    EXPECT_GE(g.state.steps, rollbacks == 0 ? 0 : 100) << "time to come back";
    g.guard.rolled_back();
  }
  EXPECT_EQ(rollbacks, 8);
  g.feed(1.0, 300);
  EXPECT_FALSE(g.guard.hopeless()) << "a new best";
}

}  // namespace
}  // namespace charnn
