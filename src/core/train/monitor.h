#pragma once
#include <optional>
#include <string>
#include <vector>
#include "core/io/train_state.h"
#include "core/train/sink.h"
#include "core/train/train_config.h"

namespace charnn {
/// Looks at training as an experienced person would and names what goes wrong: what was seen, and what to try. Each
/// warning comes once in a run; what the watch remembers is in a WatchState, which checkpoints hold.
///
///   letter_frequencies  the loss is flat at the entropy of single characters: no context is used
///   always_clipped      clipping acts on nearly every step
///   updates_too_large   steps change the weights by more than a 50th of their size, even after the warm-up
///   updates_too_small   ... or by less than 3e-6 of it, at the peak of the rate. About 1e-3 is healthy
///                       (A. Karpathy, CS231n notes on neural networks, part 3, "Ratio of weights:updates")
///   saturated           most hidden units sit at their limits, where no gradient flows
///   vanished            a layer's hidden state is close to zero
///   overfitting         validation rises while training falls
class TrainingMonitor {
 public:
  /// `unigram`: entropy of single characters, see unigram_entropy().
  TrainingMonitor(const OptimizerConfig& optimizer, const ScheduleConfig& schedule, WatchState& state, double unigram);

  /// Every step that was taken; `smoothed`: see DivergenceGuard.
  void step(const StepInfo& step, double smoothed, std::vector<Warning>& warnings);

  /// Every record of metrics.
  void record(const StepInfo& record, double smoothed, std::vector<Warning>& warnings);

  /// Every evaluation; `best_loss` and `best_step` with it counted in.
  void eval(const EvalInfo& eval, double best_loss, std::int64_t best_step, std::vector<Warning>& warnings);

 private:
  bool warm(std::int64_t step) const;  ///< some hundred steps after the warm-up
  void say(std::vector<Warning>& warnings, std::int64_t step, const char* name, std::string message);

  const OptimizerConfig& optimizer_;
  const ScheduleConfig& schedule_;
  WatchState& state_;
  double unigram_;
};

/// Entropy of the characters of `split` by their frequencies alone, in nats: the best loss without context. Of a long
/// text, from 2^20 characters spread evenly over it.
double unigram_entropy(const Corpus& corpus, Split split);
}  // namespace charnn
