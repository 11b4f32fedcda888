// Real training that goes wrong in each of the ways that are noticed.
#include <cmath>
#include "core/base/random.h"
#include "core/train/trainer.h"
#include "tests/core/train/rig.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;
using test::poison;
using test::Rig;
using test::WarningSink;

/// What training in `rig` warns of.
WarningSink warnings_of(Rig& rig) {
  WarningSink warnings;
  TrainerParts parts = rig.parts();
  parts.sinks = {&warnings};
  Trainer(parts).run();
  return warnings;
}

/// Letters of unequal frequency without any order.
std::string noise() {
  Random random(1);
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "aaaaabbcde"[random.next() % 10];
  return text;
}

TEST(Warnings, AStallAtLetterFrequencies) {
  Rig rig(Cell::lstm, 0.003, 0.0, noise());
  rig.train.max_steps = 1000;
  rig.train.eval_every = 0;
  EXPECT_EQ(warnings_of(rig).count("letter_frequencies"), 1);
}

TEST(Warnings, ClippingAllTheTime) {
  Rig rig;
  rig.optimizer.clip_norm = 1e-4;
  rig.train.max_steps = 300;
  EXPECT_EQ(warnings_of(rig).count("always_clipped"), 1);
}

TEST(Warnings, UpdatesTooLargeAndTooSmall) {
  Rig large(Cell::lstm, 0.3, 0.0);
  large.train.on_divergence = OnDivergence::ignore;
  large.train.max_steps = 400;
  EXPECT_EQ(warnings_of(large).count("updates_too_large"), 1);
  Rig small(Cell::lstm, 1e-7, 0.0);
  small.train.max_steps = 400;
  EXPECT_EQ(warnings_of(small).count("updates_too_small"), 1);
}

TEST(Warnings, SaturatedAndVanishedState) {
  Rig saturated(Cell::rnn, 1.0, 0.0);
  saturated.train.on_divergence = OnDivergence::ignore;
  saturated.train.max_steps = 400;
  EXPECT_EQ(warnings_of(saturated).count("saturated"), 1);
  Rig vanished(Cell::rnn, 0.01, 0.0);
  vanished.optimizer.l2_penalty = 100;
  vanished.train.max_steps = 600;
  EXPECT_EQ(warnings_of(vanished).count("vanished"), 1);
}

TEST(Warnings, Overfitting) {
  Rig rig(Cell::lstm, 0.01, 0.0, noise());
  rig.train.max_steps = 1500;
  rig.train.eval_every = 100;
  EXPECT_EQ(warnings_of(rig).count("overfitting"), 1);
}

TEST(Divergence, NothingThatIsNotFiniteReachesTheWeights) {
  for (const Device device : {Device::cpu, Device::torch}) {
    Rig rig;
    rig.make(rig.network->config(), device);
    WarningSink warnings;
    TrainerParts parts = rig.parts();
    parts.sinks = {&warnings};
    rig.train.on_divergence = OnDivergence::ignore;
    rig.train.eval_every = 0;
    rig.train.max_steps = 12;
    Trainer trainer(parts);
    for (int i = 0; i < 3; ++i) trainer.step();
    poison(*rig.network);
    const auto bytes = [&] {
      return bytes_of(rig.network->weights().to_host()) + bytes_of(rig.adam->exp_avg().to_host()) +
             bytes_of(rig.adam->exp_avg_sq().to_host());
    };
    const std::string poisoned = bytes();
    trainer.run();
    EXPECT_EQ(trainer.state().guard.skipped, 9);
    EXPECT_EQ(rig.adam->steps(), device == Device::cpu ? 3 : 12);
    EXPECT_TRUE(poisoned == bytes());
    const State state = trainer.snapshot().state;
    EXPECT_TRUE(std::ranges::all_of(state.h, [](float h) { return h == 0; }));
    EXPECT_EQ(warnings.count("skipped"), 1);
  }
}

TEST(Divergence, RollsBackHalvesTheRateAndGoesOn) {
  Rig rig(Cell::lstm, 0.01, 0.0);
  rig.train.max_skipped_steps = 2;
  rig.train.max_steps = 60;
  WarningSink warnings;
  std::optional<Checkpoint> best;
  const test::TemporaryFolder folder;
  TrainerParts parts = rig.parts();
  parts.sinks = {&warnings};
  parts.save = [&](CheckpointKind kind, const Checkpoint& c) {
    save_checkpoint(folder / (kind == CheckpointKind::best ? "best" : "last"), c);
  };
  parts.load = [&](CheckpointKind kind) {
    EXPECT_EQ(kind, CheckpointKind::best);
    return load_checkpoint(folder / "best");
  };
  int until_poison = 30;
  parts.stop = [&] {
    if (--until_poison == 0) poison(*rig.network);
    return false;
  };
  Trainer trainer(parts);
  EXPECT_EQ(trainer.run(), Outcome::finished);
  EXPECT_EQ(trainer.state().step, 60);
  EXPECT_EQ(trainer.state().rate.factor, 0.5);
  ASSERT_EQ(warnings.count("rollback"), 1);
  EXPECT_LT(*trainer.state().best_loss, 2.9) << "it has gone on learning";
  EXPECT_EQ(load_checkpoint(folder / "last").train.rate.factor, 0.5) << "resuming goes on at that rate";
}

TEST(Divergence, GivesUpWithTheLastGoodCheckpointIntact) {
  for (const OnDivergence policy : {OnDivergence::stop, OnDivergence::rollback}) {
    Rig rig(Cell::rnn, 10.0, 0.0);
    rig.train.on_divergence = policy;
    rig.optimizer.clip_norm = 0;
    rig.optimizer.l2_penalty = 3e38;  // no rate is low enough for this
    rig.train.max_steps = 20000;
    rig.train.eval_every = 0;
    const test::TemporaryFolder folder;
    TrainerParts parts = rig.parts();
    parts.save = [&](CheckpointKind, const Checkpoint& c) { save_checkpoint(folder / "last", c); };
    parts.load = [&](CheckpointKind) { return load_checkpoint(folder / "last"); };
    Trainer trainer(parts);
    expect_contains(error_of([&] { trainer.run(); }, ExitCode::diverged), "is intact");
    EXPECT_EQ(trainer.state().guard.vain_rollbacks, policy == OnDivergence::stop ? 0 : 8);
    for (const float weight : load_checkpoint(folder / "last").weights) ASSERT_TRUE(std::isfinite(weight));
  }
}

}  // namespace
}  // namespace charnn
