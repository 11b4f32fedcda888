#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include "core/base/error.h"
#include "core/io/checkpoint.h"
#include "core/train/sink.h"

namespace charnn {
/// last: the newest; best: the one with the lowest validation loss; kept: one that is never replaced (train.keep_every).
enum class CheckpointKind { last, best, kept };

/// Saves a run's checkpoints. If saving fails (a full disk), it warns, training goes on, and the next save tries again; a
/// best checkpoint that could not be saved waits in memory.
class CheckpointSaver {
 public:
  using Write = std::function<void(CheckpointKind, const Checkpoint&)>;
  /// `write` throws Error (failure) if saving fails; if it is empty, nothing is ever saved.
  CheckpointSaver(Write write, Warn warn) : write_(std::move(write)), warn_(std::move(warn)) {}

  void best(Checkpoint checkpoint);
  /// The last checkpoint refers to the best one, so it waits as long as that one does. At the end of training (`at_end`)
  /// it is saved all the same, referring to the best that is on disk; a resumed run then evaluates once more. `keep`: also
  /// save it as kept.
  void last(Checkpoint checkpoint, bool keep, bool at_end);
  /// Replaces the last checkpoint by the best one.
  void last_from_best(const Checkpoint& best);

  /// For a resumed run: the best checkpoint that `train` refers to is on disk.
  void resume(const TrainState& train);
  const std::optional<Checkpoint>& waiting_best() const noexcept { return waiting_best_; }
  bool saved(std::int64_t step) const noexcept { return saved_step_ == step && !waiting_best_; }
  bool tried(std::int64_t step) const noexcept { return tried_step_ == step; }
  /// The latest failure, while something is still not saved.
  const std::optional<Error>& failure() const noexcept { return failure_; }
  /// Throws Error (failure) if something is still not saved.
  void require_saved(std::int64_t step) const;

 private:
  /// Returns false, after a warning that ends with `consequence`, if it failed.
  bool store(CheckpointKind kind, const Checkpoint& checkpoint, const char* consequence);
  void store_best();

  Write write_;
  Warn warn_;
  std::int64_t saved_step_ = -1;  ///< of the last checkpoint
  std::int64_t tried_step_ = -1;  ///< step of the latest attempt to save the last checkpoint, successful or not
  std::optional<Error> failure_;
  std::optional<Checkpoint> waiting_best_;
  std::optional<double> saved_best_loss_;  ///< of the best checkpoint on disk
  std::int64_t saved_best_step_ = 0;
};
}  // namespace charnn
