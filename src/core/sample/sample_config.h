#pragma once
#include <cstdint>
#include <string>
#include <vector>
#include "core/base/describe.h"
#include "core/model/model_config.h"

namespace charnn {
struct SampleConfig {
  double temperature = 0.8;
  std::int64_t length = 500;
  std::int64_t top_k = 0;
  double top_p = 1;
  double min_p = 0;
  double typical = 1;
  double repetition_penalty = 1;
  double frequency_penalty = 0;
  std::int64_t penalty_window = 64;
  std::vector<std::string> bias = {};
  std::string only = {};
  std::int64_t beams = 1;
  StepWeights weights = StepWeights::automatic;
};

Section describe(SampleConfig& config);
}  // namespace charnn
