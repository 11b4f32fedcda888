#pragma once

#include <cstdint>

#include "charnn/base/describe.h"
#include "charnn/model/model_config.h"

namespace charnn {

struct SampleConfig {
  double temperature = 0.8;
  std::int64_t length = 500;
  StepWeights weights = StepWeights::automatic;
};

Section describe(SampleConfig& config);

}  // namespace charnn
