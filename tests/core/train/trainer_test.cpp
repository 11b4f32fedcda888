#include "core/train/trainer.h"

#include <cmath>

#include "tests/core/train/rig.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;
using test::Rig;

void expect_same(const NamedTensors& a, const NamedTensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i].second, b[i].second)) << a[i].first;
}

TEST(Trainer, LearnsASentence) {
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm}) {
    Rig rig(cell);
    Trainer trainer(rig.parts());
    const double first = trainer.step().loss;
    EXPECT_NEAR(first, std::log(static_cast<double>(rig.corpus->vocabulary().size())), 0.5)
        << "an untrained network knows nothing";
    double last = 0;
    for (int i = 0; i < 150; ++i) last = trainer.step().loss;
    EXPECT_LT(last, 0.4 * first) << cell_names[static_cast<std::size_t>(cell)];
  }
}

TEST(Trainer, ResumesExactly) {
  Rig whole;
  Trainer straight(whole.parts());
  for (int i = 0; i < 25; ++i) straight.step();

  Rig first;
  Trainer before(first.parts());
  for (int i = 0; i < 11; ++i) before.step();
  const test::TemporaryFolder folder;
  save_checkpoint(folder / "c", before.snapshot());
  Rig second;
  torch::manual_seed(99);  // must not matter
  Trainer after(second.parts());
  after.restore(load_checkpoint(folder / "c"));
  for (int i = 0; i < 14; ++i) after.step();

  expect_same(straight.snapshot().model, after.snapshot().model);
  expect_same(straight.snapshot().exp_avg, after.snapshot().exp_avg);
  expect_same(straight.snapshot().exp_avg_sq, after.snapshot().exp_avg_sq);
  expect_same(straight.snapshot().rng, after.snapshot().rng);
  EXPECT_TRUE(torch::equal(straight.snapshot().state.h, after.snapshot().state.h));
  EXPECT_EQ(straight.state().loss_sum, after.state().loss_sum);
}

TEST(Trainer, LosingTheMomentsMakesTheNextStepsWorse) {
  // Loss on the same coming windows after resuming with and without Adam's moments.
  const auto loss_after_resume = [](bool reset) {
    Rig rig(Cell::lstm, 0.02, 0.0);
    Trainer trainer(rig.parts());
    for (int i = 0; i < 200; ++i) trainer.step();
    const Checkpoint saved = trainer.snapshot();
    Rig other(Cell::lstm, 0.02, 0.0);
    Trainer resumed(other.parts());
    resumed.restore(saved, {.reset_optimizer = reset});
    EXPECT_EQ(other.adam->steps(), reset ? 0 : 200);
    double sum = 0;
    for (int i = 0; i < 10; ++i) sum += resumed.step().loss;
    return sum / 10;
  };
  const double kept = loss_after_resume(false), lost = loss_after_resume(true);
  EXPECT_GT(lost, 1.05 * kept);
}

TEST(Trainer, EvaluatingDoesNotTouchTraining) {
  Rig quiet, noisy;
  quiet.train.eval_every = 0;
  noisy.train.eval_every = 1;
  int evaluations = 0;
  TrainerParts parts = noisy.parts();
  parts.sample = [&](std::int64_t) { return std::to_string(++evaluations); };
  Trainer a(quiet.parts()), b(parts);
  torch::manual_seed(5);
  EXPECT_EQ(a.run(), Outcome::finished);
  torch::manual_seed(5);
  EXPECT_EQ(b.run(), Outcome::finished);
  EXPECT_EQ(evaluations, 40);
  expect_same(a.snapshot().model, b.snapshot().model);
  EXPECT_TRUE(torch::equal(a.snapshot().state.h, b.snapshot().state.h));
}

TEST(Trainer, StateIsCarriedAndBeginsAnewWithEachEpoch) {
  Rig rig(Cell::lstm, 0.0, 0.0);
  Trainer trainer(rig.parts());
  const std::int64_t windows = rig.batcher->windows_per_epoch();
  std::vector<double> losses;
  for (std::int64_t i = 0; i < 2 * windows; ++i) losses.push_back(trainer.step().loss);
  // With a rate of 0 the second epoch repeats the first, so it must have begun from the same (zero) state.
  for (std::size_t i = 0; i < static_cast<std::size_t>(windows); ++i)
    EXPECT_EQ(losses[i], losses[i + static_cast<std::size_t>(windows)]);
  EXPECT_GT(trainer.snapshot().state.h.abs().sum().item<double>(), 0);
}

TEST(Trainer, SavesAtItsCadenceAndWhenStopped) {
  Rig rig;
  std::vector<std::int64_t> last, best;
  int steps_until_stop = 17;
  TrainerParts parts = rig.parts();
  parts.save = [&](CheckpointKind kind, const Checkpoint& c) {
    (kind == CheckpointKind::last ? last : best).push_back(c.train.step);
  };
  parts.stop = [&] { return steps_until_stop-- <= 0; };
  Trainer trainer(parts);
  EXPECT_EQ(trainer.run(), Outcome::stopped);
  ASSERT_GE(last.size(), 3U);
  EXPECT_EQ(last[0], 0) << "resumable from the first moment";
  EXPECT_EQ(last[1], 5);
  EXPECT_EQ(last[2], 7) << "with the evaluation";
  EXPECT_EQ(last.back(), trainer.state().step);
  EXPECT_EQ(best.front(), 7);
}

TEST(Trainer, PlanEndsAtTheFirstLimit) {
  Rig rig;
  rig.train.epochs = 2;
  rig.train.max_steps = 0;
  EXPECT_EQ(Trainer(rig.parts()).last_step(), 2 * rig.batcher->windows_per_epoch());
  rig.train.max_steps = 3;
  EXPECT_EQ(Trainer(rig.parts()).last_step(), 3);
  rig.train.epochs = rig.train.max_steps = 0;
  expect_contains(error_of([&] { Trainer t(rig.parts()); }), "at least one limit");
  rig.train.max_minutes = 1;
  rig.schedule.kind = ScheduleKind::cosine;
  expect_contains(error_of([&] { Trainer t(rig.parts()); }), "cosine");
}

TEST(Trainer, PatienceEndsTrainingEarly) {
  Rig rig(Cell::lstm, 0.0);  // never better than at the first evaluation
  rig.train.eval_every = 4;
  rig.train.patience = 3;
  Trainer trainer(rig.parts());
  EXPECT_EQ(trainer.run(), Outcome::early);
  EXPECT_EQ(trainer.state().step, 16);
  Rig again(Cell::lstm, 0.0);
  again.train = rig.train;
  Trainer resumed(again.parts());
  resumed.restore(trainer.snapshot());
  EXPECT_EQ(resumed.run(), Outcome::early) << "nothing new can be found by asking again";
  EXPECT_EQ(resumed.state().step, 16);
}

TEST(Trainer, EvaluationsLookAtNoMoreThanAsked) {
  struct Seen : Sink {
    void eval(const EvalInfo& info) override { chars = info.result.chars; }
    std::int64_t chars = 0;
  } seen;
  Rig rig;
  rig.train.eval_max_chars = 50;
  TrainerParts parts = rig.parts();
  parts.sinks = {&seen};
  Trainer(parts).run();
  EXPECT_EQ(seen.chars, 50);
  rig.train.eval_max_chars = 1 << 20;
  Trainer(parts).run();
  EXPECT_EQ(seen.chars, rig.corpus->val().size() - 1);
}

TEST(Trainer, ResetStateForgetsWhatCameBefore) {
  Rig rig(Cell::lstm, 0.0, 0.0);
  rig.train.state = CarriedState::reset;
  Trainer trainer(rig.parts());
  double loss = 0;
  for (int i = 0; i < 3; ++i) loss = trainer.step().loss;
  // The third window alone, from a zero state, costs the same.
  Rig other(Cell::lstm, 0.0, 0.0);
  other.batcher->next();
  other.batcher->next();
  const Batch third = other.batcher->next();
  EXPECT_EQ(other.model->loss(third.input, third.target, other.model->zero_state(4)).mean.item<float>(),
            static_cast<float>(loss));
}

TEST(Trainer, APlateauLowersTheRate) {
  Rig rig(Cell::lstm, 0.02);
  rig.schedule = {.kind = ScheduleKind::plateau, .warmup_steps = 0, .final_lr_ratio = 0, .plateau_patience = 1};
  Trainer trainer(rig.parts());
  trainer.run();
  // Told that validation had once been as good as it gets, every evaluation is a failure.
  Checkpoint c = trainer.snapshot();
  c.train.rate.plateau_best = 0.0;
  c.train.step = 0;
  c.train.evaluated_step = -1;
  trainer.restore(c);
  trainer.run();
  EXPECT_EQ(trainer.state().rate.factor, std::pow(0.5, 6)) << "at steps 7, 14, ..., 35 and 40";
  EXPECT_DOUBLE_EQ(trainer.step().lr, 0.02 * std::pow(0.5, 6));
  trainer.restore(trainer.snapshot(), {.reset_rate = true});
  EXPECT_DOUBLE_EQ(trainer.step().lr, 0.02) << "a new rate was asked for";
}

TEST(Trainer, AnotherScheduleKeepsTheMoments) {
  Rig first;
  Trainer before(first.parts());
  for (int i = 0; i < 10; ++i) before.step();
  Rig second;
  second.schedule = {.kind = ScheduleKind::wsd, .warmup_steps = 0};
  Trainer after(second.parts());
  after.restore(before.snapshot(), {.reset_rate = true});
  expect_same(before.snapshot().exp_avg, after.snapshot().exp_avg);
  expect_same(before.snapshot().exp_avg_sq, after.snapshot().exp_avg_sq);
  EXPECT_EQ(second.adam->steps(), 10);
}

}  // namespace
}  // namespace charnn
