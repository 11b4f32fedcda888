#include "charnn/train/trainer.h"

#include <cmath>

#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

std::string sentence() {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the cat sat on the mat. " + std::to_string(i * i % 7);
  return text;
}

/// A whole training set-up on a small text.
struct Rig {
  explicit Rig(Cell cell = Cell::lstm, double lr = 0.01, double dropout = 0.2) {
    model_config = {.cell = cell, .layers = 2, .hidden = 16, .embedding = 8, .dropout = dropout};
    optimizer.lr = lr;
    schedule = {.kind = ScheduleKind::constant, .warmup_steps = 0};
    train = {.batch_size = 4,
             .sequence_length = 20,
             .epochs = 0,
             .max_steps = 40,
             .eval_every = 7,
             .checkpoint_every = 5,
             .log_every = 3};
    corpus = std::make_unique<Corpus>(test::corpus_of(folder, sentence(), 0.1));
    torch::manual_seed(1);
    model = std::make_unique<CharRnn>(model_config, corpus->vocabulary().size());
    adam = std::make_unique<Adam>(model->weights(), optimizer, model->pool());
    batcher = std::make_unique<Batcher>(*corpus, corpus->train(), train.batch_size, train.sequence_length);
  }

  TrainerParts parts() { return {train, optimizer, schedule, *model, *adam, *batcher, *corpus}; }

  test::TemporaryFolder folder;
  ModelConfig model_config;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  TrainConfig train;
  std::unique_ptr<Corpus> corpus;
  std::unique_ptr<CharRnn> model;
  std::unique_ptr<Adam> adam;
  std::unique_ptr<Batcher> batcher;
};

void expect_same(const NamedTensors& a, const NamedTensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(torch::equal(a[i].second, b[i].second)) << a[i].first;
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
    resumed.restore(saved, reset);
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

TEST(Trainer, DivergenceIsAnErrorAndSavesNothing) {
  Rig rig;
  {
    const torch::NoGradGuard no_grad;
    rig.model->parameters()[0].fill_(std::nan(""));
  }
  int saved = 0;
  TrainerParts parts = rig.parts();
  parts.save = [&](CheckpointKind, const Checkpoint&) { ++saved; };
  Trainer trainer(parts);
  expect_contains(error_of([&] { trainer.run(); }, ExitCode::diverged), "diverged at step 1");
  EXPECT_EQ(saved, 1) << "that of step 0 alone";
}

}  // namespace
}  // namespace charnn
