#pragma once
#include <string>
#include <vector>
#include "core/io/train_state.h"
#include "core/train/sink.h"
#include "core/train/train_config.h"

namespace charnn {
/// A smoothed loss above this counts as exploded: half as much again as the best, plus half a nat.
constexpr double explosion_limit(double best) { return 1.5 * best + 0.5; }

/// Judges each step, on a GPU some steps later, and notices when the loss explodes. Adam leaves out a step that is not
/// finite in any case. All it remembers is in a GuardState, which is part of checkpoints.
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

  double smoothed() const { return state_.loss.value(); }  ///< mean of about the last 50 losses; 0 before the first
  double best() const { return state_.best.value_or(guess_); }
  double limit() const { return explosion_limit(best()); }
  bool beats_guessing(double validation_loss) const { return validation_loss < guess_ && validation_loss < limit(); }
  /// Perhaps about to diverge: such weights must not replace good ones. Never with on_divergence = ignore.
  bool suspicious() const {
    return config_.on_divergence != OnDivergence::ignore && (smoothed() > limit() || state_.bad_in_row > 0);
  }
  /// True after many rollbacks without a new best in between: a lower rate does not help.
  bool hopeless() const { return state_.vain_rollbacks >= 8; }

  void restart(std::int64_t vain_rollbacks = 0);  ///< restarts smoothing and counting; the best stays
  void rolled_back() { restart(state_.vain_rollbacks + 1); }

 private:
  const TrainConfig& config_;
  GuardState& state_;
  double guess_;
};

/// Warns of common problems, once per run each; all it remembers is in a WatchState, which is part of checkpoints.
///
///   letter_frequencies  the loss is flat at the entropy of single characters: no context is used
///   always_clipped      nearly every step is clipped
///   updates_too_large   steps change the weights by more than a 50th of their size, even after the warm-up
///   updates_too_small   steps change them by less than 3e-6 of it, at the peak of the rate. About 1e-3 is healthy
///                       (A. Karpathy, CS231n notes on neural networks, part 3, "Ratio of weights:updates")
///   saturated           most hidden units of a layer are at their limits, where no gradient flows
///   vanished            a layer's hidden state is close to zero
///   overfitting         the validation loss rises while the training loss falls
class TrainingMonitor {
 public:
  /// `unigram`: see unigram_entropy(). `dropout` and `patience` are those of training, for advice.
  TrainingMonitor(const OptimizerConfig& optimizer, const ScheduleConfig& schedule, WatchState& state, double unigram,
                  double dropout, std::int64_t patience)
      : optimizer_(optimizer),
        schedule_(schedule),
        state_(state),
        unigram_(unigram),
        dropout_(dropout),
        patience_(patience) {}

  // For every step that was not skipped, every record, and every evaluation, which `best_loss` and `best_step` already
  // include. `smoothed`: see DivergenceGuard.
  void step(const StepInfo& step, double smoothed, std::vector<Warning>& warnings);
  void record(const StepInfo& record, double smoothed, std::vector<Warning>& warnings);
  void eval(const EvalInfo& eval, double best_loss, std::int64_t best_step, std::vector<Warning>& warnings);

 private:
  static constexpr std::int64_t settled = 200;  ///< steps after the warm-up before most warnings
  bool warm(std::int64_t step) const { return step >= schedule_.warmup_steps + settled; }
  void warn_once(std::vector<Warning>& warnings, std::int64_t step, const char* name, std::string message);

  const OptimizerConfig& optimizer_;
  const ScheduleConfig& schedule_;
  WatchState& state_;
  double unigram_, dropout_;
  std::int64_t patience_;
};

/// Entropy of the character frequencies of `split`, in nats: the best loss that is possible without context. For a long
/// text, it is estimated from 2^20 characters in evenly spaced pieces.
double unigram_entropy(const Corpus& corpus, Split split);
}  // namespace charnn
