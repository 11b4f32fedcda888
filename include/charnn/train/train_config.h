#pragma once

#include <array>
#include <cstdint>

#include "charnn/base/describe.h"
#include "charnn/model/model_config.h"

namespace charnn {

struct OptimizerConfig {
  double lr = 0.002;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double eps = 1e-8;
  double weight_decay = 0.0;
  double clip_norm = 1.0;
};

enum class ScheduleKind { constant, cosine };
inline constexpr std::array<const char*, 2> schedule_names{"constant", "cosine"};

struct ScheduleConfig {
  ScheduleKind kind = ScheduleKind::cosine;
  std::int64_t warmup_steps = 100;
  double final_lr_ratio = 0.05;
  std::int64_t total_steps = 0;
};

enum class DeviceChoice { automatic, cpu, cuda };
inline constexpr std::array<const char*, 3> device_names{"auto", "cpu", "cuda"};

struct TrainConfig {
  std::int64_t batch_size = 50;
  std::int64_t sequence_length = 50;
  std::int64_t epochs = 10;
  std::int64_t max_steps = 0;
  double max_minutes = 0;
  std::int64_t eval_every = 500;
  std::int64_t checkpoint_every = 500;
  std::int64_t log_every = 10;
  std::int64_t seed = 1;
  DeviceChoice device = DeviceChoice::automatic;
  std::int64_t threads = 0;
  Precision precision = Precision::fp32;
};

Section describe(OptimizerConfig& config);
Section describe(ScheduleConfig& config);
Section describe(TrainConfig& config);

}  // namespace charnn
