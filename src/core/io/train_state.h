#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include <nlohmann/json_fwd.hpp>
#include "core/base/running_average.h"
#include "core/data/batcher.h"

namespace charnn {
/// What the learning rate depends on besides the step.
struct RateState {
  double factor = 1;                   ///< multiplies the schedule's rate; reduced by plateaus and divergence
  std::optional<double> plateau_best;  ///< nats per character
  std::int64_t plateau_evals = 0;      ///< evaluations since then
};

/// State of the divergence guard (train/monitor.h).
struct GuardState {
  RunningAverage loss;              ///< over about the last 50 steps
  std::optional<double> best;       ///< lowest smoothed loss; drifts up slowly
  std::int64_t steps = 0;           ///< since the run began or was rolled back
  std::int64_t bad_in_row = 0;      ///< latest consecutive steps with NaN or infinity
  std::int64_t skipped = 0;         ///< such steps in all
  std::int64_t vain_rollbacks = 0;  ///< since the last new best
};

/// State of TrainingMonitor (train/monitor.h).
struct WatchState {
  double marked_loss = 0;                   ///< smoothed loss some hundred steps ago; 0: none yet
  double clipped_share = 0;                 ///< running average: share of steps with a clipped gradient
  std::int64_t odd_ratio = 0;               ///< consecutive records with updates too large (> 0) or too small (< 0)
  std::int64_t odd_hidden = 0;              ///< consecutive records with a saturated (> 0) or vanished (< 0) state
  double train_loss_sum = 0;                ///< over the steps since the last evaluation
  std::int64_t train_steps = 0;             ///< their number
  double train_loss_at_best = 0;            ///< mean training loss before the best evaluation
  std::int64_t rising_evals = 0;            ///< consecutive evaluations clearly worse than the best
  std::vector<std::string> warnings_given;  ///< by name
};

/// A run's progress, except for tensors.
struct TrainState {
  std::int64_t step = 0;            ///< steps taken in this run; the schedule's position
  std::int64_t optimizer_step = 0;  ///< for Adam's bias correction; below `step` after a reset or skipped steps
  Cursor cursor;
  std::int64_t chars = 0;            ///< characters trained on
  double loss_sum = 0;               ///< nats since the last metrics record
  std::int64_t loss_chars = 0;       ///< characters of loss_sum
  std::int64_t planned_steps = 0;    ///< that fit into max_minutes; 0: not known yet, or no such limit
  std::int64_t evaluated_step = -1;  ///< step of the last evaluation; -1: none yet
  std::optional<double> best_loss;   ///< nats per character on the validation split
  std::int64_t best_step = 0;
  std::int64_t evals_since_best = 0;
  Fingerprint corpus;
  RateState rate;
  GuardState guard;
  WatchState watch;
};

/// As stored in a checkpoint's metadata.
nlohmann::ordered_json train_state_to_json(TrainState state);
/// Fields that an older checkpoint lacks keep their initial values. `what` names the file in messages. Throws Error
/// (usage) or a std::exception if a value is missing or wrong.
TrainState train_state_from_json(const nlohmann::json& json, const std::string& what);
}  // namespace charnn
