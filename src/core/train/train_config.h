#pragma once
#include <array>
#include <cstdint>
#include "core/base/describe.h"
#include "core/model/model_config.h"

namespace charnn {
/// The members of all three configs are explained in train_config.cpp, where --help takes its texts from.
struct OptimizerConfig {
  double lr = 0.002;
  double beta1 = 0.9, beta2 = 0.99, eps = 1e-8;
  double weight_decay = 0.0, l2_penalty = 0.0;
  double clip_norm = 1.0;
  double average_decay = 0.0;
  std::vector<std::string> freeze = {};
};

enum class ScheduleKind {
  constant,
  linear,
  cosine,
  cosine_restarts,
  step,
  exponential,
  one_cycle,
  wsd,
  inverse_sqrt,
  plateau
};
inline constexpr std::array<const char*, 10> schedule_names{
    "constant",    "linear",    "cosine", "cosine_restarts", "step",
    "exponential", "one_cycle", "wsd",    "inverse_sqrt",    "plateau"};

/// The formulas are in schedule.h.
struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::cosine;
  std::int64_t warmup_steps = 100;
  double final_lr_ratio = 0.05;
  std::int64_t total_steps = 0;
  std::int64_t period_steps = 0;
  double period_growth = 2, decay_factor = 0.5, rise_fraction = 0.3, stable_fraction = 0.8;
  std::int64_t plateau_patience = 3;
};

/// cuda: of several processes on a machine, each takes another GPU.
enum class DeviceChoice { automatic, cpu, torch, cuda, cuda0 };
inline constexpr std::array<const char*, 12> device_names{"auto",   "cpu",    "torch",  "cuda",   "cuda:0", "cuda:1",
                                                          "cuda:2", "cuda:3", "cuda:4", "cuda:5", "cuda:6", "cuda:7"};
inline bool is_cpu(DeviceChoice choice) { return choice == DeviceChoice::cpu || choice == DeviceChoice::torch; }
enum class CarriedState { carried, reset };
inline constexpr std::array<const char*, 2> carried_state_names{"carried", "reset"};
enum class OnDivergence { rollback, stop, ignore };
inline constexpr std::array<const char*, 3> on_divergence_names{"rollback", "stop", "ignore"};

struct TrainConfig {
  std::int64_t batch_size = 50, sequence_length = 50;
  std::int64_t shards = 1;
  double window_jitter = 0;
  std::int64_t epochs = 10, max_steps = 0;
  double max_minutes = 0;
  CarriedState state = CarriedState::carried;
  double drop_state_probability = 0;
  std::int64_t patience = 0;
  std::int64_t eval_every = 500, eval_max_chars = -1;
  std::int64_t checkpoint_every = 500, keep_every = 0, keep = 0;
  double checkpoint_minutes = 5;
  std::int64_t log_every = 10;
  std::int64_t seed = 1;
  DeviceChoice device = DeviceChoice::automatic;
  std::int64_t threads = 0;
  Precision precision = Precision::automatic;
  OnDivergence on_divergence = OnDivergence::rollback;
  std::int64_t max_skipped_steps = 5;
};

Section describe(OptimizerConfig& config);
Section describe(ScheduleConfig& config);
Section describe(TrainConfig& config);
}  // namespace charnn
