// What training does when saving fails, or when there is nothing worth saving.
#include "tests/core/train/rig.h"

namespace charnn {
namespace {

using test::Disk;
using test::error_of;
using test::expect_contains;
using test::Rig;
using test::WarningSink;
using Kind = CheckpointKind;

/// Trains a new rig up to `stop_at` (0: to its end), and returns where that leads.
Checkpoint train_on(Disk& disk, std::int64_t stop_at = 0, Sink* sink = nullptr) {
  Rig rig;
  TrainerParts parts = rig.parts();
  parts.stop_at = stop_at;
  parts.save = disk.writer();
  if (sink != nullptr) parts.sinks = {sink};
  seed_generators(1);
  Trainer trainer(parts);
  disk.trainer = &trainer;
  EXPECT_EQ(trainer.run(), stop_at > 0 ? Outcome::stop_at : Outcome::finished);
  EXPECT_TRUE(trainer.saved());
  return trainer.snapshot();
}

TEST(Saving, ChangesNothingOfWhatIsLearned) {
  const auto end_of = [](bool saved) {
    Rig rig;
    Disk disk;
    rig.train.checkpoint_every = saved ? 1 : 0;
    rig.train.keep_every = saved ? 2 : 0;
    TrainerParts parts = rig.parts();
    if (saved) parts.save = disk.writer();
    seed_generators(1);
    Trainer trainer(parts);
    disk.trainer = &trainer;
    trainer.run();
    EXPECT_EQ(disk.saves.empty(), !saved);
    return trainer.snapshot();
  };
  test::expect_same(end_of(true), end_of(false));
}

TEST(Saving, GoesOnWhereTheDiskIsFullAndTriesAgain) {
  Disk whole, disk;
  WarningSink warnings;
  const Checkpoint undisturbed = train_on(whole);
  // The first, best validation falls into the time when nothing can be saved.
  disk.full = [](CheckpointKind, std::int64_t step) { return step >= 5 && step < 12; };
  test::expect_same(train_on(disk, 0, &warnings), undisturbed);
  ASSERT_FALSE(warnings.all.empty());
  EXPECT_EQ(warnings.all[0].name, "not_saved");
  EXPECT_EQ(warnings.all[0].step, 5);
  expect_contains(warnings.all[0].message, "No space left");
  ASSERT_EQ(disk.files.size(), whole.files.size());
  for (const auto& [kind, checkpoint] : whole.files) {
    EXPECT_EQ(disk.files.at(kind).train.step, checkpoint.train.step);
    test::expect_same(disk.files.at(kind), checkpoint);
  }
}

TEST(Saving, TheBestIsKeptInMemoryUntilItCanBeSaved) {
  Disk whole, disk;
  train_on(whole, 12);
  disk.full = [](CheckpointKind kind, std::int64_t step) { return kind == CheckpointKind::best && step < 10; };
  train_on(disk, 12);
  test::expect_same(disk.files.at(CheckpointKind::best), whole.files.at(CheckpointKind::best));
  EXPECT_EQ(disk.saves, (std::vector<std::pair<Kind, std::int64_t>>{
                            {Kind::last, 0}, {Kind::last, 5}, {Kind::best, 7}, {Kind::last, 10}, {Kind::last, 12}}))
      << "the last one, which would tell of the best, waits with it";
}

TEST(Saving, WithoutTheBestTheEndIsSavedAsIfItHadNotBeenFound) {
  Rig rig;
  Disk disk;
  TrainerParts parts = rig.parts();
  parts.stop_at = 14;  // with an evaluation
  parts.save = disk.writer();
  Trainer trainer(parts);
  disk.trainer = &trainer;
  disk.full = [](CheckpointKind kind, std::int64_t step) { return kind == CheckpointKind::best && step > 7; };
  expect_contains(error_of([&] { trainer.run(); }, ExitCode::failure), "step 14 could not be saved");
  EXPECT_EQ(disk.last().step, 14) << "what was learned is not lost";
  EXPECT_EQ(disk.last().best_step, 7) << "the best that is there";
  EXPECT_EQ(disk.last().best_loss, disk.files.at(CheckpointKind::best).train.best_loss);
  EXPECT_LT(disk.last().evaluated_step, 14);

  Rig again;
  TrainerParts more = again.parts();
  more.stop_at = 14;
  more.save = disk.writer();
  disk.full = [](CheckpointKind, std::int64_t) { return false; };
  Trainer resumed(more);
  disk.trainer = &resumed;
  resumed.restore(disk.files.at(CheckpointKind::last));
  EXPECT_EQ(resumed.run(), Outcome::stop_at);
  EXPECT_EQ(disk.files.at(CheckpointKind::best).train.step, 14) << "it is evaluated again, and found again";
  EXPECT_EQ(disk.last().best_step, 14);
}

TEST(Saving, WhatCannotBeSavedAtTheEndIsAnError) {
  for (const std::int64_t stop_at : {0, 9}) {
    Rig rig;
    Disk disk;
    TrainerParts parts = rig.parts();
    parts.stop_at = stop_at;
    parts.save = disk.writer();
    Trainer trainer(parts);
    disk.trainer = &trainer;
    disk.full = [](CheckpointKind, std::int64_t step) { return step > 7; };
    const std::string error = error_of([&] { trainer.run(); }, ExitCode::failure);
    expect_contains(error, stop_at > 0 ? "step 9 could not be saved" : "step 40 could not be saved");
    expect_contains(error, "--resume");
    EXPECT_EQ(disk.last().step, 7);
    EXPECT_FALSE(trainer.saved());
  }
}

TEST(Saving, NothingBeginsWithoutAFirstCheckpoint) {
  Rig rig;
  Disk disk;
  TrainerParts parts = rig.parts();
  parts.save = disk.writer();
  Trainer trainer(parts);
  disk.trainer = &trainer;
  disk.full = [](CheckpointKind, std::int64_t) { return true; };
  expect_contains(error_of([&] { trainer.run(); }, ExitCode::failure), "step 0 could not be saved");
  EXPECT_EQ(trainer.state().step, 0);
}

TEST(Saving, KeepsOneEverySoOften) {
  Rig rig;
  rig.train.keep_every = 12;
  Disk disk;
  TrainerParts parts = rig.parts();
  parts.save = disk.writer();
  Trainer trainer(parts);
  disk.trainer = &trainer;
  trainer.run();
  std::vector<std::int64_t> kept;
  for (const auto& [kind, step] : disk.saves)
    if (kind == CheckpointKind::kept) kept.push_back(step);
  EXPECT_EQ(kept, (std::vector<std::int64_t>{12, 24, 36}));
}

TEST(Saving, ATextThatCannotBeReadAnyMoreCostsNothing) {
  for (const std::int64_t at : {9, 10})  // between two checkpoints, and right after one
    for (const bool full : {false, true}) {
      Rig rig;
      Disk disk;
      WarningSink warnings;
      TrainerParts parts = rig.parts();
      parts.sinks = {&warnings};
      parts.save = disk.writer();
      const std::string path = rig.folder / "corpus.txt";
      parts.stop = [&] {
        if (disk.trainer->state().step == at) std::filesystem::resize_file(path, 10);
        return false;
      };
      Trainer trainer(parts);
      disk.trainer = &trainer;
      disk.full = [&](CheckpointKind, std::int64_t step) { return full && step > 7; };
      const std::string error = error_of([&] { trainer.run(); }, full ? ExitCode::failure : ExitCode::usage);
      expect_contains(error, "corpus.txt has");
      if (full) expect_contains(error, "No space left");
      EXPECT_EQ(trainer.state().step, at);
      EXPECT_EQ(disk.last().step, full ? 7 : at);
      EXPECT_EQ(std::count(disk.saves.begin(), disk.saves.end(), std::pair(CheckpointKind::last, at)), full ? 0 : 1);
      EXPECT_EQ(warnings.count("not_saved"), full ? 1 : 0) << "not tried twice";
    }
}

/// Spoils the weights after a step, when the gradient of that step can tell nothing any more.
struct Spoiler : Sink {
  Spoiler(Network& network_given, std::int64_t at_given) : network(network_given), at(at_given) {}
  void step(const StepInfo& info) override {
    if (info.step == at) test::poison(network);
  }
  Network& network;
  std::int64_t at;
};

TEST(Saving, WeightsThatAreNoNumbersAreRolledBack) {
  for (const bool full : {false, true}) {
    Rig rig(Cell::lstm, 0.01, 0.0);
    Disk disk;
    WarningSink warnings;
    Spoiler spoiler(*rig.network, 10);  // when a checkpoint is due
    TrainerParts parts = rig.parts();
    parts.sinks = {&warnings, &spoiler};
    parts.save = disk.writer();
    parts.load = [&](CheckpointKind kind) {
      EXPECT_EQ(kind, CheckpointKind::best);
      EXPECT_FALSE(full) << "it waits in memory";
      return disk.files.at(kind);
    };
    Trainer trainer(parts);
    disk.trainer = &trainer;
    disk.full = [&](CheckpointKind kind, std::int64_t step) {
      return full && kind == CheckpointKind::best && step <= 10;
    };
    EXPECT_EQ(trainer.run(), Outcome::finished);
    ASSERT_EQ(warnings.count("rollback"), 1);
    const auto rollback = std::find_if(warnings.all.begin(), warnings.all.end(),
                                       [](const Warning& warning) { return warning.name == "rollback"; });
    expect_contains(rollback->message,
                    "the weights or Adam's moments contain NaN or infinity: back to the weights of step 7");
    EXPECT_EQ(trainer.state().rate.factor, 0.5);
    EXPECT_EQ(trainer.state().guard.skipped, 0) << "no gradient has seen them";
    for (const auto& [kind, checkpoint] : disk.files)
      for (const float weight : checkpoint.weights) ASSERT_TRUE(std::isfinite(weight));
  }
}

TEST(Saving, WeightsThatAreNoNumbersAreNeverSaved) {
  for (const OnDivergence policy : {OnDivergence::stop, OnDivergence::ignore}) {
    Rig rig;
    rig.train.on_divergence = policy;
    Disk disk;
    WarningSink warnings;
    Spoiler spoiler(*rig.network, 10);
    TrainerParts parts = rig.parts();
    parts.sinks = {&warnings, &spoiler};
    parts.save = disk.writer();
    Trainer trainer(parts);
    disk.trainer = &trainer;
    if (policy == OnDivergence::stop) {
      expect_contains(error_of([&] { trainer.run(); }, ExitCode::diverged), "is intact");
    } else {
      EXPECT_EQ(trainer.run(), Outcome::finished);
      EXPECT_GT(warnings.count("not_saved"), 0);
      EXPECT_FALSE(trainer.saved());
    }
    EXPECT_EQ(disk.last().step, 7);
  }
}

}  // namespace
}  // namespace charnn
