#pragma once
#include <string>
#include <vector>
#include "core/io/train_state.h"
#include "core/train/sink.h"
#include "core/train/train_config.h"

namespace charnn {
/// Watches training and warns of common problems, with what was observed and what to try. Each warning is given once in a
/// run; all it remembers is in a WatchState, which is part of checkpoints.
///
///   letter_frequencies  the loss is flat at the entropy of single characters: no context is used
///   always_clipped      nearly every step is clipped
///   updates_too_large   steps change the weights by more than a 50th of their norm, even after the warm-up
///   updates_too_small   steps change them by less than 3e-6 of it, at the peak of the rate. About 1e-3 is healthy
///                       (A. Karpathy, CS231n notes on neural networks, part 3, "Ratio of weights:updates")
///   saturated           most hidden units of a layer are at their limits, where no gradient flows
///   vanished            a layer's hidden state is close to zero
///   overfitting         the validation loss rises while the training loss falls
class TrainingMonitor {
 public:
  /// `unigram`: entropy of single characters, see unigram_entropy().
  TrainingMonitor(const OptimizerConfig& optimizer, const ScheduleConfig& schedule, WatchState& state, double unigram)
      : optimizer_(optimizer), schedule_(schedule), state_(state), unigram_(unigram) {}

  /// For every step that was not skipped; `smoothed`: see DivergenceGuard.
  void step(const StepInfo& step, double smoothed, std::vector<Warning>& warnings);

  /// For every record of metrics.
  void record(const StepInfo& record, double smoothed, std::vector<Warning>& warnings);

  /// For every evaluation; `best_loss` and `best_step` already include it.
  void eval(const EvalInfo& eval, double best_loss, std::int64_t best_step, std::vector<Warning>& warnings);

 private:
  bool warm(std::int64_t step) const;  ///< some hundred steps after the warm-up
  /// Adds a warning unless it was given before.
  void add(std::vector<Warning>& warnings, std::int64_t step, const char* name, std::string message);

  const OptimizerConfig& optimizer_;
  const ScheduleConfig& schedule_;
  WatchState& state_;
  double unigram_;
};

/// Entropy of the character frequencies of `split`, in nats: the best loss that is possible without context. For a long
/// text it is estimated from 2^20 characters in evenly spaced pieces.
double unigram_entropy(const Corpus& corpus, Split split);
}  // namespace charnn
