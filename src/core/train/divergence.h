#pragma once
#include "core/io/train_state.h"
#include "core/train/train_config.h"

namespace charnn {
/// A smoothed loss above this counts as exploded: half as much again as the best, plus half a nat.
constexpr double explosion_limit(double best) { return 1.5 * best + 0.5; }

/// Judges each step before its gradient is used, so that NaN and infinity never reach the weights, and notices when the
/// loss explodes. All it remembers is in a GuardState, which is part of checkpoints.
class DivergenceGuard {
 public:
  enum class Verdict {
    good,
    skip,     ///< loss or gradient is not finite: leave the weights as they are
    diverged  ///< max_skipped_steps of those in a row, or the loss has exploded
  };

  /// `guess`: the loss of guessing, ln(vocabulary size). It counts as the best loss until there is a better one.
  DivergenceGuard(const TrainConfig& config, GuardState& state, double guess)
      : config_(config), state_(state), guess_(guess) {}

  /// `loss` in nats per character; `gradient_norm` before clipping.
  Verdict judge(double loss, double gradient_norm);

  /// Mean of about the last 50 losses. 0 before the first step.
  double smoothed() const { return state_.loss.value(); }
  double best() const { return state_.best.value_or(guess_); }
  double limit() const { return explosion_limit(best()); }
  bool beats_guessing(double validation_loss) const { return validation_loss < guess_ && validation_loss < limit(); }

  /// Perhaps about to diverge: such weights must not replace good ones. Never with on_divergence = ignore.
  bool suspicious() const {
    return config_.on_divergence != OnDivergence::ignore && (smoothed() > limit() || state_.bad_in_row > 0);
  }

  /// Restarts smoothing and counting, and keeps the best loss.
  void restart() { state_ = {.loss = {}, .best = state_.best, .skipped = state_.skipped}; }
  /// The same, after the weights have been put back.
  void rolled_back();
  /// True after many rollbacks without a new best in between: a lower rate does not help.
  bool hopeless() const { return state_.vain_rollbacks >= 8; }

 private:
  const TrainConfig& config_;
  GuardState& state_;
  double guess_;
};
}  // namespace charnn
