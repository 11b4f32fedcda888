#pragma once
#include "core/io/train_state.h"
#include "core/train/train_config.h"

namespace charnn {
/// Judges every step before its gradient is used, so that nothing that is not a finite number ever reaches the weights,
/// and sees when the loss explodes. All it remembers is in a GuardState, which checkpoints hold.
class DivergenceGuard {
 public:
  enum class Verdict {
    good,
    skip,     ///< loss or gradient is not finite: leave the weights as they are
    diverged  ///< max_skipped_steps such steps in a row, or the smoothed loss is far above its best
  };

  /// `guess`: loss of a network that knows nothing, ln(vocabulary size); the best known before the first step.
  DivergenceGuard(const TrainConfig& config, GuardState& state, double guess);

  /// `loss` in nats per character; `gradient_norm` before clipping.
  Verdict judge(double loss, double gradient_norm);

  /// Mean of about the last 50 losses. 0 before the first step.
  double smoothed() const { return state_.loss.value(); }

  /// The smoothed loss above which training counts as diverged: half as much again as the best, and half a nat.
  double limit() const { return 1.5 * best() + 0.5; }
  /// A validation loss that is better than guessing.
  bool beats_guessing(double loss) const { return loss < guess_ && loss < limit(); }
  double best() const { return state_.best.value_or(guess_); }

  /// Not yet judged, but nothing to keep: such weights must not replace good ones.
  bool suspicious() const { return smoothed() > limit() || state_.bad_in_row > 0; }

  /// The weights have been put back.
  void rolled_back();

  /// Smoothing and counting begin anew; the best stays.
  void begin_anew();

  /// Rolled back time and again without a new best in between: a lower rate does not help.
  bool hopeless() const { return state_.vain_rollbacks >= 8; }

 private:
  const TrainConfig& config_;
  GuardState& state_;
  double guess_;
};
}  // namespace charnn
