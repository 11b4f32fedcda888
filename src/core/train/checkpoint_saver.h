#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include "core/base/error.h"
#include "core/io/checkpoint.h"
#include "core/train/sink.h"

namespace charnn {
/// last: the newest; best: the one with the lowest validation loss; kept: one that stays (train.keep_every).
enum class CheckpointKind { last, best, kept };

/// Saves a run's checkpoints although saving may fail (a full disk): training goes on, a person is warned, and the next
/// save tries again. A best checkpoint that could not be saved waits in memory.
class CheckpointSaver {
 public:
  using Write = std::function<void(CheckpointKind, const Checkpoint&)>;
  /// `write` throws Error (failure) where saving fails; empty: nothing is ever saved.
  CheckpointSaver(Write write, Warn warn) : write_(std::move(write)), warn_(std::move(warn)) {}

  void best(Checkpoint checkpoint);
  /// The last checkpoint names the best one, so it waits while that waits. Once training ends (`at_end`) what was learned
  /// matters more: then it names the best that is saved, and a resumed run evaluates once more. `keep`: as kept, too.
  void last(Checkpoint checkpoint, bool keep, bool at_end);
  /// Puts the best checkpoint in the place of the last one.
  void last_from_best(const Checkpoint& best);

  /// A resumed run: the best that `train` names is saved.
  void resume(const TrainState& train);
  const std::optional<Checkpoint>& waiting_best() const noexcept { return waiting_best_; }
  bool saved(std::int64_t step) const noexcept { return saved_step_ == step && !waiting_best_; }
  bool tried(std::int64_t step) const noexcept { return tried_step_ == step; }  ///< to save the last, successful or not
  /// Of the latest attempt to save what is still not saved.
  const std::optional<Error>& failure() const noexcept { return failure_; }
  /// Throws Error (failure) if something is still not saved.
  void require_saved(std::int64_t step) const;

 private:
  /// False: it failed, and a person was warned; `consequence` says what that means.
  bool store(CheckpointKind kind, const Checkpoint& checkpoint, const char* consequence);
  void store_best();

  Write write_;
  Warn warn_;
  std::int64_t saved_step_ = -1, tried_step_ = -1;  ///< of the last checkpoint
  std::optional<Error> failure_;
  std::optional<Checkpoint> waiting_best_;
  std::optional<double> saved_best_loss_;  ///< of the best that is saved, and its step
  std::int64_t saved_best_step_ = 0;
};
}  // namespace charnn
