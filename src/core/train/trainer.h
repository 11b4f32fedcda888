#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>
#include "core/data/batcher.h"
#include "core/io/checkpoint.h"
#include "core/model/network.h"
#include "core/train/adam.h"
#include "core/train/checkpoint_saver.h"
#include "core/train/divergence.h"
#include "core/train/monitor.h"
#include "core/train/sink.h"
#include "core/train/train_config.h"

namespace charnn {
/// What a trainer works with. It makes none of these and owns none: all must outlive it.
struct TrainerParts {
  const TrainConfig& train;
  const OptimizerConfig& optimizer;
  const ScheduleConfig& schedule;
  Network& network;
  Adam& adam;
  Batcher& batcher;
  const Corpus& corpus;
  std::vector<Sink*> sinks = {};
  /// Empty: nothing is saved. Where it throws Error (failure), training goes on and tries again later.
  CheckpointSaver::Write save = {};
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
  bool saved() const noexcept { return saver_.saved(state_.step); }  ///< nothing would be lost now
  double elapsed() const;  ///< seconds since this run began, over all resumptions

 private:
  Outcome train();
  void rescue();
  bool validates() const { return parts_.corpus.val().size() > 0; }
  bool out_of_patience() const;
  bool plan_done() const;
  bool due(std::int64_t every) const { return every > 0 && state_.step > 0 && state_.step % every == 0; }
  bool stop_requested() const { return parts_.stop && parts_.stop(); }
  double epoch() const;
  double rate(std::int64_t step, std::int64_t optimizer_steps) const;
  void update(StepInfo& info);
  void report_step(const StepInfo& info);
  StepInfo record(const StepInfo& info);
  bool evaluate_now();  ///< false: stopped before the end
  void count_evaluation(const EvalInfo& info, std::vector<Warning>& warnings);
  void warn(const std::vector<Warning>& warnings);
  /// Saves, unless weights or moments contain NaN or infinity: then it recovers.
  void save_or_recover(CheckpointKind kind, bool at_end = false);
  void save(CheckpointKind kind, Checkpoint checkpoint, bool at_end = false);
  void end(bool done);                     ///< saves for the last time
  void recover(const std::string& found);  ///< training has diverged: on_divergence decides
  [[noreturn]] void give_up(const std::string& found, CheckpointKind good);
  bool unsafe_to_save() const;  ///< the loss is exploding

  TrainerParts parts_;
  TrainState state_;
  DivergenceGuard guard_;
  TrainingMonitor monitor_;
  CheckpointSaver saver_;
  DivergenceGuard::Verdict verdict_ = DivergenceGuard::Verdict::good;  ///< on the latest step
  State recurrent_;
  bool in_step_ = false;  ///< state_ and the weights do not belong together
  std::chrono::steady_clock::time_point start_;
  double training_seconds_ = 0;  ///< spent in step() since the last record
  std::int64_t training_chars_ = 0;
  double chars_per_second_ = 0;
};
}  // namespace charnn
