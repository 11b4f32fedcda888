// Real training that goes wrong in each of the ways that are noticed.
#include <algorithm>
#include <cmath>

#include "core/base/random.h"
#include "core/train/trainer.h"
#include "tests/core/train/rig.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;
using test::Rig;

struct Warnings : Sink {
  void warn(const Warning& warning) override { all.push_back(warning); }
  std::size_t count(const std::string& name) const {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const Warning& w) { return w.name == name; }));
  }
  std::vector<Warning> all;
};

/// What training in `rig` warns of.
Warnings warnings_of(Rig& rig) {
  Warnings warnings;
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

/// Sets a weight of the model to a number that is none.
void poison(CharRnn& model) {
  const torch::NoGradGuard no_grad;
  model.parameters()[0].fill_(std::nan(""));
}

TEST(Warnings, AStallAtLetterFrequencies) {
  Rig rig(Cell::lstm, 0.003, 0.0, noise());
  rig.train.max_steps = 1000;
  rig.train.eval_every = 0;
  EXPECT_EQ(warnings_of(rig).count("letter_frequencies"), 1U);
}

TEST(Warnings, ClippingAllTheTime) {
  Rig rig;
  rig.optimizer.clip_norm = 1e-4;
  rig.train.max_steps = 300;
  EXPECT_EQ(warnings_of(rig).count("always_clipped"), 1U);
}

TEST(Warnings, UpdatesTooLargeAndTooSmall) {
  Rig large(Cell::lstm, 0.3, 0.0);
  large.train.on_divergence = OnDivergence::ignore;
  large.train.max_steps = 400;
  EXPECT_EQ(warnings_of(large).count("updates_too_large"), 1U);
  Rig small(Cell::lstm, 1e-7, 0.0);
  small.train.max_steps = 400;
  EXPECT_EQ(warnings_of(small).count("updates_too_small"), 1U);
}

TEST(Warnings, SaturatedAndVanishedState) {
  Rig saturated(Cell::rnn, 1.0, 0.0);
  saturated.train.on_divergence = OnDivergence::ignore;
  saturated.train.max_steps = 400;
  EXPECT_EQ(warnings_of(saturated).count("saturated"), 1U);
  Rig vanished(Cell::rnn, 0.01, 0.0);
  vanished.optimizer.weight_decay = 100;
  vanished.train.max_steps = 600;
  EXPECT_EQ(warnings_of(vanished).count("vanished"), 1U);
}

TEST(Warnings, Overfitting) {
  Rig rig(Cell::lstm, 0.01, 0.0, noise());
  rig.model_config.hidden = 64;
  rig.train.max_steps = 1500;
  rig.train.eval_every = 100;
  const Warnings seen = warnings_of(rig);
  EXPECT_EQ(seen.count("overfitting"), 1U);
}

TEST(Divergence, NothingThatIsNotFiniteReachesTheWeights) {
  Rig rig;
  Warnings warnings;
  TrainerParts parts = rig.parts();
  parts.sinks = {&warnings};
  rig.train.on_divergence = OnDivergence::ignore;
  rig.train.eval_every = 0;
  rig.train.max_steps = 12;
  Trainer trainer(parts);
  for (int i = 0; i < 3; ++i) trainer.step();
  const torch::Tensor decoder = rig.model->parameters().back().clone();
  poison(*rig.model);
  trainer.run();
  EXPECT_EQ(trainer.state().guard.skipped, 9);
  EXPECT_EQ(rig.adam->steps(), 3);
  EXPECT_TRUE(torch::equal(decoder, rig.model->parameters().back()));
  EXPECT_EQ(warnings.count("skipped"), 1U);
}

TEST(Divergence, RollsBackHalvesTheRateAndGoesOn) {
  Rig rig(Cell::lstm, 0.01, 0.0);
  rig.train.max_skipped_steps = 2;
  rig.train.max_steps = 60;
  Warnings warnings;
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
    if (--until_poison == 0) poison(*rig.model);
    return false;
  };
  Trainer trainer(parts);
  EXPECT_EQ(trainer.run(), Outcome::finished);
  EXPECT_EQ(trainer.state().step, 60);
  EXPECT_EQ(trainer.state().rate.factor, 0.5);
  EXPECT_EQ(trainer.state().guard.rollbacks, 1);
  ASSERT_EQ(warnings.count("rollback"), 1U);
  EXPECT_LT(*trainer.state().best_loss, 2.9) << "it has gone on learning";
  EXPECT_EQ(load_checkpoint(folder / "last").train.rate.factor, 0.5) << "resuming goes on at that rate";
}

TEST(Divergence, GivesUpWithTheLastGoodCheckpointIntact) {
  for (const OnDivergence policy : {OnDivergence::stop, OnDivergence::rollback}) {
    Rig rig(Cell::rnn, 10.0, 0.0);
    rig.train.on_divergence = policy;
    rig.optimizer.clip_norm = 0;
    rig.optimizer.weight_decay = 3e38;  // no rate is low enough for this
    rig.train.max_steps = 20000;
    rig.train.eval_every = 0;
    const test::TemporaryFolder folder;
    TrainerParts parts = rig.parts();
    parts.save = [&](CheckpointKind, const Checkpoint& c) { save_checkpoint(folder / "last", c); };
    parts.load = [&](CheckpointKind) { return load_checkpoint(folder / "last"); };
    Trainer trainer(parts);
    expect_contains(error_of([&] { trainer.run(); }, ExitCode::diverged), "is intact");
    EXPECT_EQ(trainer.state().guard.vain_rollbacks, policy == OnDivergence::stop ? 0 : 8);
    for (const auto& [name, tensor] : load_checkpoint(folder / "last").model)
      EXPECT_TRUE(torch::isfinite(tensor).all().item<bool>()) << name;
  }
}

}  // namespace
}  // namespace charnn
