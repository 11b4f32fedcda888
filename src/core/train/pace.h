#pragma once
#include <algorithm>
#include <cstdint>
#include "core/train/train_config.h"

namespace charnn {
/// What the parts of a training cost, in seconds, as measured while it runs.
class Pace {
 public:
  explicit Pace(const TrainConfig& config) : config_(config) {}

  void steps(std::int64_t count, double seconds) {
    if (steps_ > 0) measured_ += seconds;  // the first one allocates
    steps_ += count;
  }
  void evaluation(double seconds) { evaluation_ = seconds; }
  void last(double seconds) { last_ = seconds; }  ///< an evaluation after the last step, besides the usual one
  void save(double seconds) { save_ = seconds; }

  bool known() const { return steps_ > 5; }
  double measured() const { return measured_; }  ///< seconds, over all steps but the first
  double evaluation() const { return evaluation_; }
  /// Of so many steps, with the evaluations and saves that come between them.
  double seconds_for(std::int64_t steps) const {
    return static_cast<double>(steps) * of_a_step() + evaluation_ + last_;
  }
  std::int64_t steps_in(double seconds) const {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>((seconds - evaluation_ - last_) / of_a_step()));
  }

 private:
  double of_a_step() const {
    const auto share = [](double seconds, std::int64_t every) {
      return every > 0 ? seconds / static_cast<double>(every) : 0;
    };
    // The last and often the best checkpoint are saved after each evaluation.
    return measured_ / static_cast<double>(steps_ - 1) + share(evaluation_ + 2 * save_, config_.eval_every) +
           share(save_, config_.checkpoint_every);
  }

  const TrainConfig& config_;
  std::int64_t steps_ = 0;
  double measured_ = 0, evaluation_ = 0, last_ = 0, save_ = 0;
};
}  // namespace charnn
