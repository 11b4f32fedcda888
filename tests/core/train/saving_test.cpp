// Saving that fails, and what training does then.
#include <map>

#include "tests/core/train/rig.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;
using test::Rig;

/// A disk that is full at some steps.
struct Disk {
  std::map<CheckpointKind, Checkpoint> files;
  std::vector<std::pair<CheckpointKind, std::int64_t>> saves;
  std::function<bool(CheckpointKind, std::int64_t)> full = [](CheckpointKind, std::int64_t) { return false; };
  Trainer* trainer = nullptr;

  void save(CheckpointKind kind, const Checkpoint& c) {
    if (full(kind, trainer->state().step)) throw Error(ExitCode::failure, "No space left on device", "", "");
    files.insert_or_assign(kind, c);
    for (auto& [name, tensor] : files.at(kind).model) tensor = tensor.detach().clone();  // as a file has them
    saves.emplace_back(kind, c.train.step);
  }
};

struct Warnings : Sink {
  std::vector<Warning> all;
  void warn(const Warning& warning) override { all.push_back(warning); }
};

TEST(Saving, GoesOnWhereTheDiskIsFullAndTriesAgain) {
  Rig whole_rig, rig;
  Disk whole, disk;
  Warnings warnings;
  TrainerParts whole_parts = whole_rig.parts();
  whole_parts.save = [&](CheckpointKind kind, const Checkpoint& c) { whole.save(kind, c); };
  torch::manual_seed(1);
  Trainer undisturbed(whole_parts);
  whole.trainer = &undisturbed;
  undisturbed.run();

  TrainerParts parts = rig.parts();
  parts.sinks = {&warnings};
  parts.save = [&](CheckpointKind kind, const Checkpoint& c) { disk.save(kind, c); };
  torch::manual_seed(1);
  Trainer trainer(parts);
  disk.trainer = &trainer;
  // The first, best validation falls into the time when nothing can be saved.
  disk.full = [](CheckpointKind, std::int64_t step) { return step >= 5 && step < 12; };
  EXPECT_EQ(trainer.run(), Outcome::finished);
  EXPECT_TRUE(trainer.saved());
  ASSERT_FALSE(warnings.all.empty());
  EXPECT_EQ(warnings.all[0].name, "not_saved");
  EXPECT_EQ(warnings.all[0].step, 5);
  expect_contains(warnings.all[0].message, "No space left");
  for (const auto& [kind, c] : whole.files) {
    ASSERT_TRUE(disk.files.contains(kind));
    const Checkpoint& other = disk.files.at(kind);
    EXPECT_EQ(other.train.step, c.train.step);
    for (std::size_t i = 0; i < c.model.size(); ++i)
      EXPECT_TRUE(torch::equal(c.model[i].second, other.model[i].second)) << c.model[i].first;
  }
}

TEST(Saving, TheBestIsKeptInMemoryUntilItCanBeSaved) {
  Disk whole, disk;
  for (Disk* each : {&whole, &disk}) {
    Rig rig;
    TrainerParts parts = rig.parts();
    parts.stop_at = 12;
    parts.save = [&](CheckpointKind kind, const Checkpoint& c) { each->save(kind, c); };
    torch::manual_seed(1);
    Trainer trainer(parts);
    each->trainer = &trainer;
    if (each == &disk)
      disk.full = [](CheckpointKind kind, std::int64_t step) { return kind == CheckpointKind::best && step < 10; };
    trainer.run();
  }
  const Checkpoint &expected = whole.files.at(CheckpointKind::best), &late = disk.files.at(CheckpointKind::best);
  EXPECT_EQ(late.train.step, 7);
  for (std::size_t i = 0; i < expected.model.size(); ++i)
    EXPECT_TRUE(torch::equal(expected.model[i].second, late.model[i].second)) << "not as training went on";
  const std::vector<std::pair<CheckpointKind, std::int64_t>> saves{{CheckpointKind::last, 0},
                                                                   {CheckpointKind::last, 5},
                                                                   {CheckpointKind::best, 7},
                                                                   {CheckpointKind::last, 10},
                                                                   {CheckpointKind::last, 12}};
  EXPECT_EQ(disk.saves, saves) << "the last one, which would tell of the best, waits with it";
}

TEST(Saving, WithoutTheBestTheEndIsSavedAsIfItHadNotBeenFound) {
  Rig rig;
  Disk disk;
  TrainerParts parts = rig.parts();
  parts.stop_at = 14;  // with an evaluation
  parts.save = [&](CheckpointKind kind, const Checkpoint& c) { disk.save(kind, c); };
  Trainer trainer(parts);
  disk.trainer = &trainer;
  disk.full = [](CheckpointKind kind, std::int64_t step) { return kind == CheckpointKind::best && step > 7; };
  expect_contains(error_of([&] { trainer.run(); }, ExitCode::failure), "step 14 could not be saved");
  const TrainState& saved = disk.files.at(CheckpointKind::last).train;
  EXPECT_EQ(saved.step, 14) << "what was learned is not lost";
  EXPECT_EQ(saved.best_step, 7) << "the best that is there";
  EXPECT_EQ(saved.best_loss, disk.files.at(CheckpointKind::best).train.best_loss);
  EXPECT_LT(saved.evaluated_step, 14) << "a resumed run evaluates again, and finds it again";
}

TEST(Saving, WhatCannotBeSavedAtTheEndIsAnError) {
  for (const std::int64_t stop_at : {0, 9}) {
    Rig rig;
    Disk disk;
    TrainerParts parts = rig.parts();
    parts.stop_at = stop_at;
    parts.save = [&](CheckpointKind kind, const Checkpoint& c) { disk.save(kind, c); };
    Trainer trainer(parts);
    disk.trainer = &trainer;
    disk.full = [](CheckpointKind, std::int64_t step) { return step > 7; };
    const std::string error = error_of([&] { trainer.run(); }, ExitCode::failure);
    expect_contains(error, stop_at > 0 ? "step 9 could not be saved" : "step 40 could not be saved");
    expect_contains(error, "--resume");
    EXPECT_EQ(disk.files.at(CheckpointKind::last).train.step, 7);
  }
}

TEST(Saving, NothingBeginsWithoutAFirstCheckpoint) {
  Rig rig;
  Disk disk;
  TrainerParts parts = rig.parts();
  parts.save = [&](CheckpointKind kind, const Checkpoint& c) { disk.save(kind, c); };
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
  parts.save = [&](CheckpointKind kind, const Checkpoint& c) { disk.save(kind, c); };
  Trainer trainer(parts);
  disk.trainer = &trainer;
  trainer.run();
  std::vector<std::int64_t> kept;
  for (const auto& [kind, step] : disk.saves)
    if (kind == CheckpointKind::kept) kept.push_back(step);
  EXPECT_EQ(kept, (std::vector<std::int64_t>{12, 24, 36}));
}

TEST(Saving, ATextThatCannotBeReadAnyMoreCostsNothing) {
  Rig rig;
  Disk disk;
  TrainerParts parts = rig.parts();
  parts.save = [&](CheckpointKind kind, const Checkpoint& c) { disk.save(kind, c); };
  const std::string path = rig.folder / "corpus.txt";
  parts.stop = [&, steps = 0]() mutable {
    if (++steps == 9) std::filesystem::resize_file(path, 10);
    return false;
  };
  Trainer trainer(parts);
  disk.trainer = &trainer;
  expect_contains(error_of([&] { trainer.run(); }), "corpus.txt has");
  EXPECT_GT(trainer.state().step, 5);
  EXPECT_EQ(disk.files.at(CheckpointKind::last).train.step, trainer.state().step);
}

}  // namespace
}  // namespace charnn
