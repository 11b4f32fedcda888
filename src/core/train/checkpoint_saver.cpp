#include "core/train/checkpoint_saver.h"
#include <tuple>
#include <fmt/format.h>
#include "core/dist/link.h"

namespace charnn {
bool CheckpointSaver::store(CheckpointKind kind, const Checkpoint& checkpoint, const char* consequence) {
  try {
    write_(kind, checkpoint);
    return true;
  } catch (const LinkError&) {  // not the disk, but another process
    throw;
  } catch (const Error& error) {
    if (error.code() != ExitCode::failure) throw;
    if (kind != CheckpointKind::kept) failure_ = error;
    warn_({checkpoint.train.step, "not_saved", fmt::format("{}\n  note:     {}", error.what(), consequence)});
    return false;
  }
}

void CheckpointSaver::store_best() {
  if (!store(CheckpointKind::best, *waiting_best_)) return;
  saved_best_ = {waiting_best_->train.best_loss, waiting_best_->train.best_step};
  waiting_best_.reset();
}

void CheckpointSaver::best(Checkpoint checkpoint) {
  if (!write_) return;
  waiting_best_ = std::move(checkpoint);
  store_best();
}

void CheckpointSaver::last(Checkpoint checkpoint, bool keep, bool at_end) {
  if (!write_) return;
  TrainState& train = checkpoint.train;
  if (waiting_best_ && waiting_best_->train.step != train.step) store_best();  // else it has just failed
  if (waiting_best_) {
    if (!at_end) return;
    std::tie(train.best_loss, train.best_step) = saved_best_;
    if (train.evaluated_step == train.step) --train.evaluated_step;
  }
  tried_step_ = train.step;
  if (!store(CheckpointKind::last, checkpoint)) return;
  saved_step_ = train.step;
  if (!waiting_best_) failure_.reset();
  if (keep) store(CheckpointKind::kept, checkpoint, "this one is left out; the last one is saved");
}

void CheckpointSaver::last_from_best(const Checkpoint& best) {
  if (write_) store(CheckpointKind::last, best, "the earlier checkpoint is kept");
}

void CheckpointSaver::require_saved(std::int64_t step) const {
  if (!failure_) return;
  throw Error(ExitCode::failure, fmt::format("step {} could not be saved: {}", step, failure_->what()), "",
              step == 0 ? "fix that, then start again"
                        : "the earlier checkpoint is intact: fix the problem, then continue from it with --resume");
}
}  // namespace charnn
