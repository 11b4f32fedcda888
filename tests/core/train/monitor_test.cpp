#include "core/train/monitor.h"
#include <cmath>
#include "tests/support.h"

namespace charnn {
namespace {

using test::expect_contains;

/// A monitor that is told one story, step for step.
struct Story {
  OptimizerConfig optimizer{};
  ScheduleConfig schedule{};
  WatchState state{};
  TrainingMonitor monitor{optimizer, schedule, state, 3.0, 0.2, 0};
  std::vector<Warning> warnings{};
  StepInfo now{};

  Story() {
    now.loss = 1.5;
    now.grad_norm = 0.2;
    now.lr = 0.002;
    now.update_ratio = 1e-3;
    now.hidden_rms = 0.3;
  }

  void go(int steps) {
    for (int i = 0; i < steps; ++i) {
      ++now.step;
      monitor.step(now, now.loss, warnings);
      if (now.step % 10 == 0) monitor.record(now, now.loss, warnings);
    }
  }
  void eval(double loss, double best) {
    EvalInfo info;
    info.step = now.step;
    info.result = {loss, 1};
    info.best = loss == best;
    monitor.eval(info, best, 100, warnings);
  }
  /// Exactly the warning `name` was given, with `part` in it.
  void expect(const std::string& name, const std::string& part) {
    ASSERT_EQ(warnings.size(), 1U) << name;
    EXPECT_EQ(warnings[0].name, name);
    expect_contains(warnings[0].message, part);
  }
};

TEST(TrainingMonitor, AHealthyRunIsLeftInPeace) {
  Story s;
  s.now.loss = 4;
  for (int i = 0; i < 100; ++i) {
    s.go(20);
    s.now.loss = 1.3 + 2.7 * std::exp(-i / 5.0);
    s.eval(s.now.loss, s.now.loss);
  }
  EXPECT_TRUE(s.warnings.empty()) << s.warnings[0].message;
}

TEST(TrainingMonitor, NamesAStallAtLetterFrequencies) {
  Story s;
  s.now.loss = 2.98;
  s.go(250);
  EXPECT_TRUE(s.warnings.empty()) << "too early to tell";
  s.go(1000);
  s.expect("letter_frequencies", "lr-find");
  EXPECT_EQ(s.state.warnings_given, std::vector<std::string>{"letter_frequencies"}) << "and once only";
}

TEST(TrainingMonitor, ALossThatStillFallsIsNoStall) {
  Story s;
  s.now.loss = 4.5;
  for (int i = 0; i < 12; ++i) {
    s.go(100);
    s.now.loss *= 0.97;
  }
  EXPECT_TRUE(s.warnings.empty());
}

TEST(TrainingMonitor, NamesConstantClipping) {
  Story s;
  s.now.grad_norm = 3;
  s.go(1000);
  s.expect("always_clipped", "--clip-norm");
  Story off;
  off.optimizer.clip_norm = 0;
  off.now.grad_norm = 3;
  off.go(1000);
  EXPECT_TRUE(off.warnings.empty());
}

TEST(TrainingMonitor, NamesUpdatesOfAnUnhealthySize) {
  Story large;
  large.now.update_ratio = 0.3;
  large.go(1000);
  large.expect("updates_too_large", "0.3");
  Story small;
  small.now.update_ratio = 1e-6;
  small.go(1000);
  small.expect("updates_too_small", "1e-06");
  Story late;
  late.now.update_ratio = 1e-6;
  late.now.lr = 1e-5;
  late.go(1000);
  EXPECT_TRUE(late.warnings.empty()) << "the schedule has lowered the rate on purpose";
}

TEST(TrainingMonitor, NamesAHiddenStateThatCarriesNothing) {
  Story saturated;
  saturated.now.loss = 2.5;
  saturated.now.hidden_saturated = 0.8;
  saturated.go(1000);
  saturated.expect("saturated", "80 %");
  Story vanished;
  vanished.now.loss = 2.5;
  vanished.now.hidden_rms = 1e-5;
  vanished.go(1000);
  vanished.expect("vanished", "1e-05");
  Story learned;
  learned.now.loss = 0.01;
  learned.now.hidden_saturated = 0.9;
  learned.go(1000);
  EXPECT_TRUE(learned.warnings.empty()) << "who knows the text may be sure of it";
}

TEST(TrainingMonitor, NamesOverfitting) {
  Story s;
  s.go(100);
  s.eval(1.60, 1.60);
  for (const double val : {1.62, 1.65}) {
    s.now.loss -= 0.1;
    s.go(100);
    s.eval(val, 1.60);
  }
  EXPECT_TRUE(s.warnings.empty());
  s.now.loss -= 0.1;
  s.go(100);
  s.eval(1.7, 1.60);
  s.expect("overfitting", "--dropout");
}

TEST(TrainingMonitor, NoiseIsNoOverfitting) {
  Story s;
  s.go(100);
  s.eval(1.60, 1.60);
  s.now.loss *= 0.99;  // an easier stretch of text
  for (int i = 0; i < 10; ++i) {
    s.go(100);
    s.eval(1.62, 1.60);
  }
  EXPECT_TRUE(s.warnings.empty());
}

TEST(TrainingMonitor, TrainingThatGetsWorseIsNoOverfitting) {
  Story s;
  s.go(100);
  s.eval(1.60, 1.60);
  for (int i = 0; i < 5; ++i) {
    s.now.loss += 0.1;
    s.go(20);
    s.eval(1.7, 1.60);
  }
  EXPECT_TRUE(s.warnings.empty());
}

TEST(UnigramEntropy, IsThatOfTheFrequencies) {
  const test::TemporaryFolder folder;
  const Corpus corpus = test::corpus_of(folder, "aabaabaabaabaabaab");
  EXPECT_NEAR(unigram_entropy(corpus, corpus.all()), std::log(3.0) - 2.0 / 3 * std::log(2.0), 1e-12);
  std::string text;
  for (int i = 0; i < 1'500'000; ++i) text += i % 4 == 0 ? 'x' : 'y';
  const Corpus long_text = test::corpus_of(folder, text);
  EXPECT_NEAR(unigram_entropy(long_text, long_text.all()), -0.25 * std::log(0.25) - 0.75 * std::log(0.75), 1e-5);
}

}  // namespace
}  // namespace charnn
