#include "core/train/monitor.h"
#include <algorithm>
#include <cmath>
#include <utility>
#include <fmt/format.h>

namespace charnn {
namespace {
constexpr std::int64_t in_a_row = 10;  // records

/// Counts how often in a row a value was too large (up) or too small (down).
void count(std::int64_t& counter, bool large, bool small) {
  const std::int64_t sign = large ? 1 : small ? -1 : 0;
  counter = sign * counter > 0 ? counter + sign : sign;
}
}  // namespace

DivergenceGuard::Verdict DivergenceGuard::judge(double loss, double gradient_norm) {
  ++state_.steps;
  if (!std::isfinite(loss) || !std::isfinite(gradient_norm)) {
    ++state_.skipped;
    return ++state_.bad_in_row >= config_.max_skipped_steps ? Verdict::diverged : Verdict::skip;
  }
  state_.bad_in_row = 0;
  state_.loss.add(loss, 0.98);
  // Earlier the smoothed loss means little; after a rollback, the network also needs this time to recover.
  if (state_.steps < 100) return Verdict::good;
  const double now = smoothed();
  if (now > limit()) return Verdict::diverged;
  if (now < best()) {
    state_.best = now;
    state_.vain_rollbacks = 0;
  } else {
    // If the text becomes harder for good, that is the new normal after some thousand steps.
    state_.best = best() + 0.001 * (now - best());
  }
  return Verdict::good;
}

void DivergenceGuard::restart(std::int64_t vain_rollbacks) {
  state_ = {.loss = {}, .best = state_.best, .skipped = state_.skipped, .vain_rollbacks = vain_rollbacks};
}

void TrainingMonitor::warn_once(std::vector<Warning>& warnings, std::int64_t step, const char* name,
                                std::string message) {
  std::vector<std::string>& given = state_.warnings_given;
  if (std::find(given.begin(), given.end(), name) != given.end()) return;
  given.emplace_back(name);
  warnings.push_back({step, name, std::move(message)});
}

void TrainingMonitor::step(const StepInfo& s, double smoothed, std::vector<Warning>& warnings) {
  state_.train_loss_sum += s.loss;
  ++state_.train_steps;
  const bool clipped = optimizer_.clip_norm > 0 && s.grad_norm > optimizer_.clip_norm;
  state_.clipped_share = 0.99 * state_.clipped_share + (clipped ? 0.01 : 0);
  if (!warm(s.step)) return;
  if (state_.clipped_share > 0.9)
    warn_once(warnings, s.step, "always_clipped",
              fmt::format("the gradient was clipped in nearly every step, so its norm ({:.3g} now, clip_norm {:g}) no "
                          "longer matters. Try a lower learning rate, or a higher --clip-norm",
                          s.grad_norm, optimizer_.clip_norm));
  if ((s.step - schedule_.warmup_steps) % settled != 0) return;
  const bool flat = state_.marked_loss > 0 && std::abs(smoothed - state_.marked_loss) < 0.02 * state_.marked_loss;
  state_.marked_loss = smoothed;
  if (flat && unigram_ > 0.1 && smoothed > 0.97 * unigram_)
    warn_once(warnings, s.step, "letter_frequencies",
              fmt::format("the loss has stayed at {:.3f} for {} steps; the character frequencies alone give {:.3f}, so "
                          "the network has learned nothing else. The learning rate ({:.3g} now) is probably too high, "
                          "or far too low; charnn lr-find finds one",
                          smoothed, settled, unigram_, s.lr));
}

void TrainingMonitor::record(const StepInfo& s, double smoothed, std::vector<Warning>& warnings) {
  if (s.step < schedule_.warmup_steps) return;
  // Late in a schedule updates are small because the rate is.
  const bool at_peak = s.lr > 0.5 * optimizer_.lr;
  count(state_.odd_ratio, s.update_ratio > 0.02, s.update_ratio < 3e-6 && at_peak);
  const bool large = state_.odd_ratio > 0;
  if (std::abs(state_.odd_ratio) >= in_a_row)
    warn_once(warnings, s.step, large ? "updates_too_large" : "updates_too_small",
              fmt::format("each step changes the weights by {}{:.2g} of their size; about 0.001 is healthy. Try a "
                          "learning rate well {} {:.3g}",
                          large ? "" : "only ", s.update_ratio, large ? "below" : "above", s.lr));
  if (!warm(s.step)) return;
  // For a network that has learned its text, such a state can be right.
  const bool poor = smoothed > 0.7 * unigram_;
  count(state_.odd_hidden, poor && s.hidden_saturated > 0.7, poor && s.hidden_rms < 1e-3);
  if (state_.odd_hidden >= in_a_row)
    warn_once(warnings, s.step, "saturated",
              fmt::format("{:.0f} % of a layer's hidden units are at their limits (-1 or 1), where no gradient flows, "
                          "and the loss is still {:.3f}. Start again with a lower learning rate",
                          100 * s.hidden_saturated, smoothed));
  if (state_.odd_hidden <= -in_a_row)
    warn_once(warnings, s.step, "vanished",
              fmt::format("the hidden state of a layer has almost vanished (root mean square {:.1g}) and carries no "
                          "information. Start again with less weight decay, fewer layers, or another learning rate",
                          s.hidden_rms));
}

void TrainingMonitor::eval(const EvalInfo& e, double best_loss, std::int64_t best_step,
                           std::vector<Warning>& warnings) {
  const double train = state_.train_steps > 0 ? state_.train_loss_sum / static_cast<double>(state_.train_steps)
                                              : state_.train_loss_at_best;
  state_.train_loss_sum = 0;
  state_.train_steps = 0;
  if (e.best) state_.train_loss_at_best = train;
  // By more than the noise of a constant rate, or an easier part of the text, can explain.
  const bool rising = !e.best && e.result.loss() > 1.01 * best_loss && train < 0.98 * state_.train_loss_at_best;
  state_.rising_evals = rising ? state_.rising_evals + 1 : 0;
  const std::string more_dropout =
      dropout_ < 0.5 ? fmt::format("--dropout {:.1f}, ", dropout_ < 0.2 ? 0.3 : dropout_ + 0.2) : "";
  if (state_.rising_evals >= 3)
    warn_once(warnings, e.step, "overfitting",
              fmt::format("the validation loss has risen from {:.4f} (step {}) to {:.4f} while the training loss fell "
                          "from {:.4f} to {:.4f}: the network is memorizing the training text. The best checkpoint is "
                          "kept. Try {}a smaller --hidden, or more text{}",
                          best_loss, best_step, e.result.loss(), state_.train_loss_at_best, train, more_dropout,
                          patience_ > 0 ? "" : "; --patience 5 ends in time"));
}

double unigram_entropy(const Corpus& corpus, Split split) {
  double entropy = 0;
  for (const double share : corpus.frequencies(split, 0))
    if (share > 0) entropy -= share * std::log(share);
  return entropy;
}
}  // namespace charnn
