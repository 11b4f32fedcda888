#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/data/batcher.h"
#include "core/io/checkpoint.h"
#include "core/model/network.h"
#include "core/train/adam.h"
#include "core/train/divergence.h"
#include "core/train/sink.h"
#include "core/train/train_config.h"
#include "core/train/watch.h"

namespace charnn {

/// last: the newest; best: that of the lowest validation loss; kept: one of those that stay (train.keep_every).
enum class CheckpointKind { last, best, kept };

/// What a trainer works with. It makes none of these and owns none: all must outlive it.
struct TrainerParts {
  const TrainConfig& train;
  const OptimizerConfig& optimizer;
  const ScheduleConfig& schedule;
  CharRnn& model;
  Adam& adam;
  Batcher& batcher;
  const Corpus& corpus;
  std::vector<Sink*> sinks = {};
  /// Empty: nothing is saved. Where it throws Error (failure), training goes on and tries again later.
  std::function<void(CheckpointKind, const Checkpoint&)> save = {};
  std::function<Checkpoint(CheckpointKind)> load = {};        ///< empty: no rolling back
  std::function<std::string(std::int64_t step)> sample = {};  ///< text to show at an evaluation
  std::function<bool()> stop = {};                            ///< true: finish the step, save, return
  std::string config_json = "{}";                             ///< goes into every checkpoint
  double elapsed_before = 0;                                  ///< seconds spent by earlier processes of this run
  std::int64_t stop_at = 0;                                   ///< end this process at that step; 0: at the plan's end
};

enum class Outcome {
  finished,  ///< the plan is done
  early,     ///< no better validation for train.patience evaluations
  stopped,   ///< stop() said so
  stop_at    ///< stop_at is reached
};

/// How a checkpoint is taken up.
struct RestoreOptions {
  bool reset_optimizer = false;  ///< leave Adam's moments and step count as they are: zero
  bool reset_rate = false;       ///< another lr or schedule now holds: forget drops made under the old one
};

/// Truncated back-propagation through time over contiguous streams: the recurrent state is carried from window to
/// window, gradients are not (Williams, Peng 1990).
class Trainer {
 public:
  explicit Trainer(TrainerParts parts);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Trains until the plan (epochs, max_steps, max_minutes, patience) is done, stop_at is reached, or stop() says so;
  /// saves before it returns, and throws Error (failure) if that cannot be done. When training diverges,
  /// train.on_divergence decides; where that means giving up, the last checkpoint is left a good one, and an Error with
  /// ExitCode::diverged is thrown. If anything else goes wrong between two steps (the text cannot be read any more),
  /// what was learned is saved first.
  Outcome run();

  /// Takes one step on the next window; returns what it saw. Loss or gradient not finite: the weights stay.
  StepInfo step();

  Checkpoint snapshot() const;
  void restore(const Checkpoint& checkpoint, RestoreOptions options = {});

  /// Step at which epochs or max_steps end the plan; 0: neither is set.
  std::int64_t last_step() const;
  /// Horizon of the schedule.
  std::int64_t total_steps() const;
  const TrainState& state() const noexcept { return state_; }
  bool saved() const noexcept { return saved_step_ == state_.step; }  ///< nothing would be lost now
  double elapsed() const;  ///< seconds since this run began, over all resumptions

 private:
  Outcome train();
  void rescue();
  bool out_of_patience() const;
  bool plan_done() const;
  bool due(std::int64_t every) const { return every > 0 && state_.step > 0 && state_.step % every == 0; }
  bool stop_requested() const { return parts_.stop && parts_.stop(); }
  double rate(std::int64_t step, std::int64_t optimizer_steps) const;
  void update(double lr, double grad_norm, StepInfo& info);
  void look_at(const StepInfo& info);
  StepInfo record(const StepInfo& info);
  bool evaluate_now();  ///< false: stopped before the end
  void count_evaluation(const EvalInfo& info, std::vector<Warning>& warnings);
  void recover(const std::string& found);
  void warn(const std::vector<Warning>& warnings);
  void save(CheckpointKind kind, bool at_end = false);
  /// False: failed, and said so; `meanwhile` is what that means.
  bool store(CheckpointKind kind, const Checkpoint& checkpoint, const char* meanwhile);
  void store_best();  ///< the one that waits
  void require_saved() const;
  bool guarded() const;  ///< what would be saved now is no good
  double epoch() const;

  TrainerParts parts_;
  TrainState state_;
  DivergenceGuard guard_;
  Watch watch_;
  DivergenceGuard::Verdict verdict_ = DivergenceGuard::Verdict::good;  ///< on the latest step
  State recurrent_;
  std::int64_t saved_step_ = -1;
  std::int64_t tried_step_ = -1;            ///< at which the last checkpoint was to be saved, in vain or not
  bool in_step_ = false;                    ///< state_ and the weights do not belong together
  std::optional<Error> failure_;            ///< of the latest attempt to save what still is not saved
  std::optional<Checkpoint> waiting_best_;  ///< could not be saved yet
  std::optional<double> saved_best_loss_;   ///< of the best that was saved, and its step
  std::int64_t saved_best_step_ = 0;
  std::chrono::steady_clock::time_point start_;
  double training_seconds_ = 0;  ///< spent in step() since the last record
  std::int64_t training_chars_ = 0;
  double chars_per_second_ = 0;
};

/// Step at which epochs or max_steps end the plan; 0: neither is set.
std::int64_t plan_steps(const TrainConfig& train, std::int64_t windows_per_epoch);

/// Throws Error (usage) if no limit is set, or the schedule needs a horizon that nothing gives, or evaluations that are
/// not made.
void require_plan(const TrainConfig& train, const ScheduleConfig& schedule);

}  // namespace charnn
