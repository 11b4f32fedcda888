#pragma once

#include <cstdint>
#include <optional>

#include "charnn/data/corpus.h"
#include "charnn/data/cursor.h"

namespace charnn {

/// Everything about a run's progress that is not a tensor.
struct TrainState {
  std::int64_t step = 0;  ///< optimizer steps taken in this run; the schedule's position
  std::int64_t optimizer_step =
      0;  ///< Adam's own count, for its bias correction (less than `step` after a reset)
  Cursor cursor;
  std::int64_t chars = 0;            ///< characters trained on
  double loss_sum = 0;               ///< nats since the last metrics record
  std::int64_t loss_chars = 0;       ///< characters of loss_sum
  std::int64_t evaluated_step = -1;  ///< step of the last evaluation; -1: none yet
  std::optional<double> best_loss;   ///< nats per character on the validation split
  std::int64_t best_step = 0;
  Fingerprint corpus;
};

}  // namespace charnn
