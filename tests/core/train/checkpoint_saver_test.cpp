#include "core/train/checkpoint_saver.h"
#include <map>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;
using Kind = CheckpointKind;
using Writes = std::vector<std::pair<Kind, std::int64_t>>;

/// A checkpoint of training that has just been evaluated; its weight tells its step.
Checkpoint checkpoint_of(std::int64_t step, std::int64_t best_step, double best_loss) {
  const NetworkLayout layout({.cell = Cell::rnn, .layers = 1, .hidden = 1, .embedding = 1}, 1);
  Checkpoint c{"{}", Vocabulary(Tokens::chars, {U'a'}), {}, layout, {static_cast<float>(step)}, {}, {}, {}, {}};
  c.train.step = c.train.evaluated_step = step;
  c.train.best_step = best_step;
  c.train.best_loss = best_loss;
  return c;
}

/// Of a step at which validation was better than ever.
Checkpoint best_of(std::int64_t step, double loss) { return checkpoint_of(step, step, loss); }

/// A saver on a disk that has no room for some kinds of checkpoint.
struct FullDisk {
  std::set<Kind> full{};
  Writes tried{}, written{};
  std::map<Kind, Checkpoint> files{};
  std::vector<Warning> warnings{};
  CheckpointSaver saver{[this](Kind kind, const Checkpoint& c) { write(kind, c); },
                        [this](const Warning& warning) { warnings.push_back(warning); }};

  void write(Kind kind, const Checkpoint& c) {
    tried.emplace_back(kind, c.train.step);
    if (full.contains(kind)) throw Error(ExitCode::failure, "No space left on device", "", "");
    written.emplace_back(kind, c.train.step);
    files.insert_or_assign(kind, c);
  }
  const TrainState& last() const { return files.at(Kind::last).train; }
  std::string refusal(std::int64_t step) const {
    return error_of([&] { saver.require_saved(step); }, ExitCode::failure);
  }
};

TEST(CheckpointSaver, WritesWhatItIsGiven) {
  FullDisk disk;
  EXPECT_FALSE(disk.saver.saved(0));
  disk.saver.last(checkpoint_of(0, 0, 3), /*keep=*/false, /*at_end=*/false);
  EXPECT_TRUE(disk.saver.saved(0));
  disk.saver.best(best_of(7, 2));
  disk.saver.last(best_of(7, 2), /*keep=*/true, /*at_end=*/false);
  EXPECT_EQ(disk.written, (Writes{{Kind::last, 0}, {Kind::best, 7}, {Kind::last, 7}, {Kind::kept, 7}}));
  EXPECT_EQ(disk.last().best_step, 7);
  EXPECT_TRUE(disk.saver.saved(7));
  EXPECT_TRUE(disk.saver.tried(7));
  EXPECT_FALSE(disk.saver.saved(8)) << "there would be something to lose";
  EXPECT_FALSE(disk.saver.failure());
  EXPECT_FALSE(disk.saver.waiting_best());
  EXPECT_NO_THROW(disk.saver.require_saved(7));
  EXPECT_TRUE(disk.warnings.empty());
}

TEST(CheckpointSaver, WithNothingToWriteWithItSavesNothing) {
  CheckpointSaver saver({}, [](const Warning&) { ADD_FAILURE(); });
  saver.best(best_of(7, 2));
  saver.last(best_of(7, 2), /*keep=*/true, /*at_end=*/true);
  saver.last_from_best(best_of(7, 2));
  EXPECT_FALSE(saver.saved(7));
  EXPECT_FALSE(saver.waiting_best());
  EXPECT_NO_THROW(saver.require_saved(7));
}

TEST(CheckpointSaver, AFailureIsToldAndTheNextSaveTriesAgain) {
  FullDisk disk;
  disk.full = {Kind::last};
  disk.saver.last(checkpoint_of(5, 0, 3), false, false);
  EXPECT_FALSE(disk.saver.saved(5));
  EXPECT_TRUE(disk.saver.tried(5));
  ASSERT_EQ(disk.warnings.size(), 1U);
  EXPECT_EQ(disk.warnings[0].name, "not_saved");
  EXPECT_EQ(disk.warnings[0].step, 5);
  expect_contains(disk.warnings[0].message, "No space left");
  expect_contains(disk.warnings[0].message, "tries again at the next save");
  ASSERT_TRUE(disk.saver.failure());
  expect_contains(disk.saver.failure()->what(), "No space left");
  expect_contains(disk.refusal(5), "step 5 could not be saved: No space left");
  expect_contains(disk.refusal(5), "--resume");

  disk.full.clear();
  disk.saver.last(checkpoint_of(10, 0, 3), false, false);
  EXPECT_TRUE(disk.saver.saved(10));
  EXPECT_FALSE(disk.saver.failure());
  EXPECT_NO_THROW(disk.saver.require_saved(10));
  EXPECT_EQ(disk.written, (Writes{{Kind::last, 10}}));
  EXPECT_EQ(disk.warnings.size(), 1U);
}

TEST(CheckpointSaver, AFirstCheckpointThatFailsLeavesNothingToResume) {
  FullDisk disk;
  disk.full = {Kind::last};
  disk.saver.last(checkpoint_of(0, 0, 3), false, false);
  expect_contains(disk.refusal(0), "step 0 could not be saved");
  expect_contains(disk.refusal(0), "start again");
  EXPECT_EQ(disk.refusal(0).find("--resume"), std::string::npos);
}

TEST(CheckpointSaver, OtherErrorsAreNoneOfItsBusiness) {
  std::vector<Warning> warnings;
  const auto saver_that = [&](auto error) {
    return CheckpointSaver([error](Kind, const Checkpoint&) { throw error; },
                           [&](const Warning& warning) { warnings.push_back(warning); });
  };
  CheckpointSaver usage = saver_that(Error(ExitCode::usage, "wrong", "", ""));
  expect_contains(error_of([&] { usage.last(checkpoint_of(5, 0, 3), false, false); }), "wrong");
  CheckpointSaver other = saver_that(std::logic_error("a mistake"));
  EXPECT_THROW(other.last(checkpoint_of(5, 0, 3), false, false), std::logic_error);
  EXPECT_TRUE(warnings.empty());
}

TEST(CheckpointSaver, TheLastWaitsForTheBest) {
  FullDisk disk;
  disk.full = {Kind::best};
  disk.saver.best(best_of(7, 2));
  ASSERT_TRUE(disk.saver.waiting_best());
  disk.saver.last(best_of(7, 2), /*keep=*/true, false);
  EXPECT_EQ(disk.tried, (Writes{{Kind::best, 7}})) << "it has only just failed";
  disk.saver.last(checkpoint_of(10, 7, 2), false, false);
  EXPECT_EQ(disk.tried, (Writes{{Kind::best, 7}, {Kind::best, 7}}));
  EXPECT_TRUE(disk.written.empty()) << "the last one would name a best one that is not there";
  EXPECT_FALSE(disk.saver.tried(10));
  EXPECT_FALSE(disk.saver.saved(10));
  EXPECT_EQ(disk.warnings.size(), 2U);

  disk.full.clear();
  disk.saver.last(checkpoint_of(12, 7, 2), false, false);
  EXPECT_EQ(disk.written, (Writes{{Kind::best, 7}, {Kind::last, 12}}));
  EXPECT_EQ(disk.files.at(Kind::best).weights, std::vector<float>{7}) << "not as training went on";
  EXPECT_EQ(disk.last().best_step, 7);
  EXPECT_FALSE(disk.saver.waiting_best());
  EXPECT_FALSE(disk.saver.failure());
  EXPECT_TRUE(disk.saver.saved(12));
}

TEST(CheckpointSaver, ANewerBestTakesThePlaceOfTheOneThatWaits) {
  FullDisk disk;
  disk.full = {Kind::best};
  disk.saver.best(best_of(7, 2));
  disk.saver.best(best_of(14, 1.5));
  ASSERT_TRUE(disk.saver.waiting_best());
  EXPECT_EQ(disk.saver.waiting_best()->train.step, 14);
  disk.full.clear();
  disk.saver.best(best_of(21, 1));
  disk.saver.last(best_of(21, 1), false, false);
  EXPECT_EQ(disk.written, (Writes{{Kind::best, 21}, {Kind::last, 21}}));
  EXPECT_NO_THROW(disk.saver.require_saved(21));
}

TEST(CheckpointSaver, ABestThatIsSavedThoughTheLastFailsDoesNotWaitAnyMore) {
  FullDisk disk;
  disk.full = {Kind::last};
  disk.saver.best(best_of(7, 2));
  disk.saver.last(best_of(7, 2), false, false);
  EXPECT_FALSE(disk.saver.waiting_best());
  EXPECT_FALSE(disk.saver.saved(7));
  expect_contains(disk.refusal(7), "step 7 could not be saved");
}

TEST(CheckpointSaver, AtTheEndTheLastNamesTheBestThatIsThere) {
  FullDisk disk;
  disk.saver.best(best_of(7, 2));
  disk.full = {Kind::best};
  disk.saver.best(best_of(14, 1.5));
  disk.saver.last(best_of(14, 1.5), false, /*at_end=*/true);
  EXPECT_EQ(disk.written, (Writes{{Kind::best, 7}, {Kind::last, 14}})) << "what was learned is not lost";
  EXPECT_EQ(disk.last().best_step, 7);
  EXPECT_EQ(disk.last().best_loss, 2);
  EXPECT_EQ(disk.last().evaluated_step, 13) << "a resumed run evaluates again, and finds the best again";
  EXPECT_FALSE(disk.saver.saved(14)) << "the best is lost";
  expect_contains(disk.refusal(14), "step 14 could not be saved");
}

TEST(CheckpointSaver, AtTheEndTheBestIsTriedOnceMore) {
  for (const bool full : {true, false}) {
    FullDisk disk;
    disk.full = {Kind::best};
    disk.saver.best(best_of(7, 2));
    if (!full) disk.full.clear();
    Checkpoint end = checkpoint_of(9, 7, 2);
    end.train.evaluated_step = 7;
    disk.saver.last(end, false, /*at_end=*/true);
    EXPECT_EQ(disk.tried, (Writes{{Kind::best, 7}, {Kind::best, 7}, {Kind::last, 9}}));
    EXPECT_EQ(disk.last().best_step, full ? 0 : 7);
    EXPECT_EQ(disk.last().best_loss.has_value(), !full) << "no best was ever saved";
    EXPECT_EQ(disk.last().evaluated_step, 7) << "step 9 has not been evaluated yet";
    EXPECT_EQ(disk.saver.saved(9), !full);
  }
}

TEST(CheckpointSaver, AResumedRunKnowsItsBest) {
  FullDisk disk;
  disk.saver.resume(checkpoint_of(10, 7, 2).train);
  EXPECT_FALSE(disk.saver.saved(10)) << "this process has not saved anything";
  disk.full = {Kind::best};
  disk.saver.best(best_of(14, 1.5));
  disk.saver.last(best_of(14, 1.5), false, /*at_end=*/true);
  EXPECT_EQ(disk.last().best_step, 7);
  EXPECT_EQ(disk.last().best_loss, 2);
}

TEST(CheckpointSaver, AKeptOneThatCannotBeSavedIsLeftOut) {
  FullDisk disk;
  disk.full = {Kind::kept};
  disk.saver.last(checkpoint_of(5, 0, 3), /*keep=*/true, false);
  ASSERT_EQ(disk.warnings.size(), 1U);
  expect_contains(disk.warnings[0].message, "this one is left out");
  EXPECT_TRUE(disk.saver.saved(5));
  EXPECT_NO_THROW(disk.saver.require_saved(5));
  disk.full = {Kind::last};
  disk.saver.last(checkpoint_of(10, 0, 3), /*keep=*/true, false);
  EXPECT_EQ(disk.tried.back(), std::pair(Kind::last, std::int64_t{10})) << "nor is it kept without the last one";
}

TEST(CheckpointSaver, PutsTheBestInThePlaceOfTheLast) {
  FullDisk disk;
  disk.saver.last_from_best(best_of(7, 2));
  EXPECT_EQ(disk.written, (Writes{{Kind::last, 7}}));
  disk.full = {Kind::last};
  disk.saver.last_from_best(best_of(14, 1));
  ASSERT_EQ(disk.warnings.size(), 1U);
  expect_contains(disk.warnings[0].message, "the earlier checkpoint is kept");
  EXPECT_EQ(disk.last().step, 7);
}

}  // namespace
}  // namespace charnn
