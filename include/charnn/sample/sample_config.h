#pragma once

#include <cstdint>

#include "charnn/base/describe.h"

namespace charnn {

struct SampleConfig {
  double temperature = 0.8;
  std::int64_t length = 500;
};

Section describe(SampleConfig& config);

}  // namespace charnn
