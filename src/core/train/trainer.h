#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>
#include "core/base/clock.h"
#include "core/train/adam.h"
#include "core/train/checkpoint_saver.h"
#include "core/train/monitor.h"
#include "core/train/pace.h"
#include "core/train/team.h"

namespace charnn {
/// What a trainer works with. It does not own the objects that are referred to.
struct TrainerParts {
  const TrainConfig& train;
  const OptimizerConfig& optimizer;
  const ScheduleConfig& schedule;
  Network& network;
  Adam& adam;
  Batcher& batcher;
  const Corpus& corpus;
  Group& group;
  std::vector<Sink*> sinks = {};
  CheckpointSaver::Write save = {};                           ///< empty: nothing is saved
  std::function<Checkpoint(CheckpointKind)> load = {};        ///< empty: no rolling back
  std::function<std::string(std::int64_t step)> sample = {};  ///< text to show with an evaluation
  std::function<int()> stop = {};                             ///< not 0: finish the step, save, return
  std::function<bool()> save_now = {};                        ///< true: finish the step, save, go on
  std::string config_json = "{}";                             ///< for checkpoints
  double elapsed_before = 0;                                  ///< seconds spent by earlier processes of this run
  std::int64_t stop_at = 0;                                   ///< end this process at that step; 0: at the plan's end
};

enum class Outcome {
  finished,  ///< the plan is done
  early,     ///< no better validation for train.patience evaluations
  stopped,   ///< by stop()
  stop_at    ///< stop_at is reached
};

struct RestoreOptions {
  bool reset_optimizer = false;  ///< leave out Adam's moments and step count
  bool reset_rate = false;       ///< leave out drops of the rate, since lr or the schedule has changed
  bool reset_plan = false;       ///< plan the time anew, since max_minutes has changed
};

/// Truncated back-propagation through time over contiguous streams: the recurrent state is carried from window to
/// window, gradients are not (Williams, Peng 1990).
class Trainer {
 public:
  explicit Trainer(TrainerParts parts);
  Trainer(const Trainer&) = delete;

  /// Trains until the plan (epochs, max_steps, max_minutes, patience) is done, or until stop_at or stop(). Then saves;
  /// throws Error (failure) if that fails. If training diverges and is not rolled back, leaves a good last checkpoint
  /// and throws Error (diverged). If anything else fails between two steps, saves before passing the exception on,
  /// unless there are several processes.
  Outcome run();
  /// Trains on the next window, and waits until that is done. If loss or gradient is not finite, the weights stay as
  /// they are.
  StepInfo step();

  Checkpoint snapshot() const;          ///< of several processes all must call it
  Checkpoint network_snapshot() const;  ///< without the recurrent state, to write text with
  void restore(const Checkpoint& checkpoint, RestoreOptions options = {});

  std::int64_t last_step() const;    ///< see plan_steps(); with max_minutes, known after some steps
  std::int64_t total_steps() const;  ///< length of the schedule
  const TrainState& state() const noexcept { return state_; }
  int stopped_by() const noexcept { return agreed_.stop; }  ///< what stop() has returned, in whichever process
  bool save_failed() const noexcept { return saver_.failure().has_value(); }
  bool saved() const noexcept { return saver_.saved(state_.step); }
  double elapsed() const { return parts_.elapsed_before + seconds_since(start_); }  ///< seconds, over all resumptions

 private:
  /// A step that a GPU may still be working on. account() fills in loss, norm and times.
  struct Launched {
    StepInfo info;
    Scalar loss, norm;
    std::int64_t chars;
  };

  Outcome train();
  void launch();  ///< the next step
  /// Waits for the steps launched so far, accounts for them, and tells the sinks of them. False: training had diverged,
  /// and has gone back.
  bool report_steps();
  StepInfo account(const Launched& launched, double loss, double norm, double seconds);
  bool out_of_patience() const;
  bool due(std::int64_t every) const { return every > 0 && state_.step > 0 && state_.step % every == 0; }
  bool in_company() const { return parts_.group.size() > 1; }
  int own_stop() const { return parts_.stop ? parts_.stop() : 0; }
  bool time_is_up() const { return parts_.train.max_minutes > 0 && elapsed() >= 60 * parts_.train.max_minutes; }
  Wishes own_wishes() const;
  double rate(std::int64_t step, std::int64_t optimizer_steps) const;
  void reset_recurrent(const Scalar& where = 1);  ///< to zeros, if it is 1
  void drop_states();                             ///< drop_state_probability
  void update(StepInfo& info, const Scalar& norm, const Scalar& skip);
  bool save_due();    ///< between evaluations
  void save_first();  ///< before an evaluation that takes long
  /// With max_minutes, fixes the end of the schedule once the speed is known; it is saved, so that resuming is exact.
  void plan_time();
  double seconds_left() const;                        ///< see StepInfo
  static double norm(std::span<const float> values);  ///< finite if all values are: it is summed in double
  void report_step(const StepInfo& info);
  bool evaluate_now();  ///< false: stopped before the end
  void warn(const std::vector<Warning>& warnings);
  void save(CheckpointKind kind, bool at_end = false);  ///< recovers instead if weights or moments are not finite
  void recover(const std::string& found);               ///< training has diverged: rolls back or throws

  TrainerParts parts_;
  TrainState state_;
  DivergenceGuard guard_;
  TrainingMonitor monitor_;
  CheckpointSaver saver_;
  Team team_;
  Wishes agreed_;                                                      ///< by all processes, in the latest step
  State recurrent_;                                                    ///< of own streams
  std::vector<std::int64_t> opening_;                                  ///< for checkpoints
  bool in_step_ = false;                                               ///< state_ and the weights do not match
  std::vector<Launched> launched_;                                     ///< on a CPU only the latest step
  DivergenceGuard::Verdict verdict_ = DivergenceGuard::Verdict::good;  ///< on the step accounted for last
  Clock::time_point start_ = Clock::now(), saved_ = start_, launching_since_ = start_;
  Pace pace_;
  double training_seconds_ = 0;  ///< spent on steps since the last record
  std::int64_t training_chars_ = 0;
  double chars_per_second_ = 0;
  double exchanged_before_ = 0;  ///< Group::seconds() at the last record
};
}  // namespace charnn
