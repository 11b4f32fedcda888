#pragma once
#include <algorithm>
#include <cstdint>
#include "core/base/running_average.h"
#include "core/train/train_config.h"

namespace charnn {
/// What the parts of a training cost, in seconds, as measured while it runs.
class Pace {
 public:
  explicit Pace(const TrainConfig& config) : config_(config) {}

  void step(double seconds) {
    if (steps_++ > 0) step_.add(seconds, 0.98);  // the first one allocates
    measured_ += seconds;
  }
  void evaluation(double seconds) { evaluation_ = seconds; }
  void save(double seconds) { save_ = seconds; }

  bool known() const { return steps_ > 5; }
  double measured() const { return measured_; }  ///< over all steps
  double evaluation() const { return evaluation_; }
  /// Of so many steps, with the evaluations and saves that come between them.
  double seconds_for(std::int64_t steps) const { return static_cast<double>(steps) * of_a_step() + evaluation_; }
  std::int64_t steps_in(double seconds) const {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>((seconds - evaluation_) / of_a_step()));
  }

 private:
  double of_a_step() const {
    const auto share = [](double seconds, std::int64_t every) {
      return every > 0 ? seconds / static_cast<double>(every) : 0;
    };
    // The last and often the best checkpoint are saved after each evaluation.
    return step_.value() + share(evaluation_ + 2 * save_, config_.eval_every) + share(save_, config_.checkpoint_every);
  }

  const TrainConfig& config_;
  RunningAverage step_;
  std::int64_t steps_ = 0;
  double measured_ = 0, evaluation_ = 0, save_ = 0;
};
}  // namespace charnn
