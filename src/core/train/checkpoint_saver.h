#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include "core/base/error.h"
#include "core/io/checkpoint.h"
#include "core/train/sink.h"

namespace charnn {
/// last: the newest; best: the one with the lowest validation loss; kept: one that stays (train.keep_every).
enum class CheckpointKind { last, best, kept };

/// Saves a run's checkpoints. If that fails (a full disk), it warns, and the next save tries again; a best checkpoint
/// that could not be saved waits in memory.
class CheckpointSaver {
 public:
  using Write = std::function<void(CheckpointKind, const Checkpoint&)>;
  /// `write` throws Error (failure) if saving fails; if it is empty, nothing is ever saved.
  CheckpointSaver(Write write, Warn warn) : write_(std::move(write)), warn_(std::move(warn)) {}

  void best(Checkpoint checkpoint);
  /// The last checkpoint names the best one, so it is not saved while that waits; at the end of training (`at_end`) it
  /// is, but names the best one on disk, and a resumed run evaluates once more. `keep`: also save it as kept.
  void last(Checkpoint checkpoint, bool keep, bool at_end);
  void last_from_best(const Checkpoint& best);  ///< replaces the last checkpoint by the best one
  /// For a resumed run: the best checkpoint named by `train` is on disk.
  void resume(const TrainState& train) { saved_best_ = {train.best_loss, train.best_step}; }

  const std::optional<Checkpoint>& waiting_best() const noexcept { return waiting_best_; }
  bool saved(std::int64_t step) const noexcept { return saved_step_ == step && !waiting_best_; }
  bool tried(std::int64_t step) const noexcept { return tried_step_ == step; }
  const std::optional<Error>& failure() const noexcept { return failure_; }  ///< if something is still not saved
  void require_saved(std::int64_t step) const;                               ///< throws Error (failure) then

 private:
  /// If it fails, warns with `consequence` and returns false.
  bool store(CheckpointKind kind, const Checkpoint& checkpoint,
             const char* consequence = "the earlier checkpoint is kept; charnn tries again at the next save");
  void store_best();

  Write write_;
  Warn warn_;
  std::int64_t saved_step_ = -1;  ///< of the last checkpoint
  std::int64_t tried_step_ = -1;  ///< step of the latest attempt to save it, successful or not
  std::optional<Error> failure_;
  std::optional<Checkpoint> waiting_best_;
  std::pair<std::optional<double>, std::int64_t> saved_best_;  ///< best_loss and best_step of the best one on disk
};
}  // namespace charnn
