#include "core/train/trainer.h"
#include <cmath>
#include "core/base/files.h"
#include "core/train/schedule.h"
#include "tests/core/train/rig.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;
using test::expect_same;
using test::Rig;

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
  const Checkpoint expected = straight.snapshot();

  Rig first;
  Trainer before(first.parts());
  for (int i = 0; i < 11; ++i) before.step();
  const test::TemporaryFolder folder;
  save_checkpoint(folder / "c", before.snapshot());
  Rig second;
  seed_generators(99);  // must not matter
  Trainer after(second.parts());
  after.restore(load_checkpoint(folder / "c"));
  for (int i = 0; i < 14; ++i) after.step();

  expect_same(expected, after.snapshot());
  EXPECT_EQ(expected.train.loss_sum, after.state().loss_sum);
  save_checkpoint(folder / "straight", expected);
  save_checkpoint(folder / "resumed", after.snapshot());
  EXPECT_TRUE(read_file(folder / "straight", "checkpoint") == read_file(folder / "resumed", "checkpoint"));
}

TEST(Trainer, ResumesExactlyWithEveryRegulariserAndShards) {
  const auto rig = [] {
    auto made = std::make_unique<Rig>(Cell::lstm, 0.01, 0.2, test::sentence(), /*average_decay=*/0.9);
    made->optimizer.weight_decay = 0.1;
    made->train.window_jitter = 0.5;
    made->train.drop_state_probability = 0.3;
    made->train.shards = 2;
    made->make({.layers = 2,
                .hidden = 16,
                .embedding = 8,
                .dropout = 0.2,
                .output_dropout = 0.3,
                .input_dropout = 0.1,
                .embedding_dropout = 0.1,
                .weight_dropout = 0.2,
                .dropout_mask = DropoutMask::window});
    return made;
  };
  const auto whole = rig(), first = rig(), second = rig();
  Trainer straight(whole->parts()), before(first->parts()), after(second->parts());
  seed_generators(1);
  for (int i = 0; i < 25; ++i) straight.step();
  const Checkpoint expected = straight.snapshot();
  seed_generators(1);
  for (int i = 0; i < 11; ++i) before.step();
  after.restore(before.snapshot());
  for (int i = 0; i < 14; ++i) after.step();
  expect_same(expected, after.snapshot());
}

TEST(Trainer, StatesAreDroppedWithTheirProbability) {
  const auto losses = [](double probability, CarriedState state) {
    Rig rig(Cell::gru, 0.02, 0.0);
    rig.train.drop_state_probability = probability;
    rig.train.state = state;
    Trainer trainer(rig.parts());
    std::vector<double> all;
    for (int i = 0; i < 20; ++i) all.push_back(trainer.step().loss);
    return all;
  };
  const auto always = losses(0.999999999, CarriedState::carried), sometimes = losses(0.3, CarriedState::carried);
  EXPECT_EQ(always, losses(0, CarriedState::reset));
  EXPECT_NE(sometimes, always);
  EXPECT_NE(sometimes, losses(0, CarriedState::carried));
}

TEST(Trainer, RateOfAStepIsScaledWithItsLength) {
  Rig rig(Cell::rnn);
  rig.train.window_jitter = 0.8;
  rig.make({.cell = Cell::rnn, .layers = 1, .hidden = 4, .embedding = 4});
  Trainer trainer(rig.parts());
  std::int64_t chars = 0;
  for (int i = 0; i < 9; ++i) {
    const StepInfo info = trainer.step();
    EXPECT_DOUBLE_EQ(info.lr, 0.01 * static_cast<double>(info.chars - chars) / (4 * 20));
    chars = info.chars;
  }
}

TEST(Trainer, TimeShapesTheScheduleAndThePlanIsSaved) {
  const auto limited = [](Rig& rig) {
    rig.train.max_steps = 0;
    rig.train.max_minutes = 0.005;
    rig.schedule.kind = ScheduleKind::cosine;
    return rig.parts();
  };
  Rig rig, again, other;
  Trainer trainer(limited(rig));
  EXPECT_EQ(trainer.last_step(), 0);
  EXPECT_EQ(trainer.step().lr, 0.01) << "the schedule waits at its beginning";
  EXPECT_EQ(trainer.run(), Outcome::finished);
  const Checkpoint end = trainer.snapshot();
  ASSERT_GT(end.train.planned_steps, 0);
  EXPECT_EQ(trainer.total_steps(), end.train.planned_steps);
  Trainer resumed(limited(again)), replanned(limited(other));
  resumed.restore(end);
  EXPECT_EQ(resumed.last_step(), end.train.planned_steps);
  replanned.restore(end, {.reset_plan = true});
  EXPECT_EQ(replanned.last_step(), 0);
}

TEST(Trainer, ResumesExactlyInTheMiddleOfARun) {
  // With all that comes between two steps: evaluations, records, a schedule that goes by them, warnings.
  const test::TemporaryFolder folder;
  const auto run = [&](const std::string& name, std::int64_t stop_at, const char* from) {
    Rig rig(Cell::gru, 0.01, 0.2, test::sentence(), /*average_decay=*/0.9);
    rig.schedule = {.kind = ScheduleKind::plateau, .warmup_steps = 3, .plateau_patience = 1};
    TrainerParts parts = rig.parts();
    parts.stop_at = stop_at;
    parts.save = [&](CheckpointKind kind, const Checkpoint& c) {
      if (kind == CheckpointKind::last) save_checkpoint(folder / name, c);
    };
    Trainer trainer(parts);
    if (from != nullptr) {
      seed_generators(99);
      trainer.restore(load_checkpoint(folder / from));
    }
    trainer.run();
    return read_file(folder / name, "checkpoint");
  };
  const std::string whole = run("whole", 0, nullptr);
  run("evaluated", 14, nullptr);
  run("between", 16, "evaluated");
  EXPECT_TRUE(run("resumed", 0, "between") == whole);
}

TEST(Trainer, AnotherNetworksCheckpointIsRefused) {
  Rig lstm, gru(Cell::gru), fewer;
  Trainer from(lstm.parts()), to(gru.parts());
  const Checkpoint before = to.snapshot();
  expect_contains(error_of([&] { to.restore(from.snapshot()); }), "another shape");
  fewer.train.batch_size = 3;
  expect_contains(error_of([&] { Trainer(fewer.parts()).restore(from.snapshot()); }), "4 streams");
  expect_same(to.snapshot(), before);
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

TEST(Trainer, EvaluatesTheAveragedWeights) {
  Rig rig(Cell::lstm, 0.02, 0.0, test::sentence(), /*average_decay=*/0.9);
  test::Disk disk;
  TrainerParts parts = rig.parts();
  parts.save = disk.writer();
  Trainer trainer(parts);
  disk.trainer = &trainer;
  trainer.run();
  const Checkpoint& best = disk.files.at(CheckpointKind::best);
  EXPECT_NE(best.average, best.weights);
  const auto loss_of = [&](const std::vector<float>& weights) {
    Network network(best.layout, weights);
    return evaluate(network, *rig.corpus, rig.corpus->val())->loss();
  };
  EXPECT_DOUBLE_EQ(loss_of(best.best_weights()), *best.train.best_loss);
  EXPECT_NE(loss_of(best.weights), *best.train.best_loss);
}

TEST(Trainer, EvaluatingDoesNotTouchTraining) {
  Rig quiet, noisy;
  quiet.train.eval_every = 0;
  noisy.train.eval_every = 1;
  int evaluations = 0;
  TrainerParts parts = noisy.parts();
  parts.sample = [&](std::int64_t) { return std::to_string(++evaluations); };
  const auto end_of = [](TrainerParts all) {
    seed_generators(5);
    Trainer trainer(all);
    EXPECT_EQ(trainer.run(), Outcome::finished);
    return trainer.snapshot();
  };
  expect_same(end_of(quiet.parts()), end_of(parts));
  EXPECT_EQ(evaluations, 40);
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
  const State state = trainer.snapshot().state;
  EXPECT_NE(bytes_of(state.h), bytes_of(rig.network->zero_state(4).h));
  EXPECT_NE(bytes_of(state.c), bytes_of(rig.network->zero_state(4).c));
}

TEST(Trainer, SavesAtItsCadenceAndWhenStopped) {
  Rig rig;
  std::vector<std::int64_t> last, best;
  int steps_until_stop = 27;
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

TEST(Trainer, WaitsForADeviceOnlyWhereItHasTo) {
  const auto reported = [](Device device) {
    /// Where the loop stood, by how often it had asked whether to stop, when it told of each step.
    struct Progress : Sink {
      void step(const StepInfo& info) override { turns.push_back(info.step == std::ssize(turns) + 1 ? asked : -1); }
      int asked = 0;
      std::vector<int> turns;
    } progress;
    Rig rig;
    rig.make(rig.network->config(), device);
    rig.train.max_steps = 22;
    TrainerParts parts = rig.parts();
    parts.sinks = {&progress};
    parts.stop = [&] { return ++progress.asked, 0; };
    Trainer(parts).run();
    std::vector<int> groups;  // the last step of each group that it told of together
    for (int step = 1; step <= 22; ++step)
      if (step == 22 || progress.turns[step] != progress.turns[step - 1]) groups.push_back(step);
    return groups;
  };
  EXPECT_EQ(reported(Device::cpu).size(), 22U);
  EXPECT_EQ(reported(Device::torch), (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 14, 15, 18, 20, 21, 22}))
      << "the first six alone; then every third step is logged, every fifth saved, every seventh evaluated";
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
  EXPECT_EQ(Trainer(rig.parts()).last_step(), 0) << "not known yet";
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

TEST(Trainer, EvaluationsTakeATwentiethOfTheWork) {
  TrainConfig train{.batch_size = 32, .sequence_length = 64, .eval_every = 500};
  EXPECT_EQ(evaluated_chars(train, {0, 100'000}), 100'000);
  EXPECT_EQ(evaluated_chars(train, {0, 5'000'000}), 102'401);
  train.eval_max_chars = 0;
  EXPECT_EQ(evaluated_chars(train, {0, 5'000'000}), 5'000'000) << "all, if asked";
}

TEST(Trainer, SavesWhenAskedAndInTime) {
  for (const bool by_time : {false, true}) {
    Rig rig;
    rig.train.checkpoint_every = rig.train.eval_every = 0;
    rig.train.max_steps = 9;
    if (by_time) rig.train.checkpoint_minutes = 1e-9;
    test::Disk disk;
    TrainerParts parts = rig.parts();
    parts.save = disk.writer();
    std::int64_t step = 0;
    parts.save_now = [&] { return !by_time && ++step == 5; };
    Trainer trainer(parts);
    disk.trainer = &trainer;
    trainer.run();
    std::vector<std::int64_t> steps;
    for (const auto& [kind, at] : disk.saves)
      if (kind == CheckpointKind::last && at < 9) steps.push_back(at);
    EXPECT_EQ(steps.size(), by_time ? 10U : 2U) << "the first step's checkpoint twice, and the others";
  }
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
  State zeros = other.network->zero_state(4);
  EXPECT_EQ(other.network->train_window(other.batcher->next(), zeros), loss);
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
  expect_same(before.snapshot(), after.snapshot());
  EXPECT_EQ(second.adam->steps(), 10);
}

}  // namespace
}  // namespace charnn
