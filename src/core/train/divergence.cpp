#include "core/train/divergence.h"
#include <cmath>

namespace charnn {
namespace {
constexpr double keep = 0.98;  // share of the average that each step keeps

// The smoothed loss is meaningful after this many steps. After a rollback, they also give the network time to recover.
constexpr std::int64_t settled = 100;

// Each step moves the best up by this share of the distance: if the text becomes harder for good, that is the new normal
// after some thousand steps.
constexpr double drift = 0.001;
}  // namespace

DivergenceGuard::Verdict DivergenceGuard::judge(double loss, double gradient_norm) {
  ++state_.steps;
  if (!std::isfinite(loss) || !std::isfinite(gradient_norm)) {
    ++state_.skipped;
    return ++state_.bad_in_row >= config_.max_skipped_steps ? Verdict::diverged : Verdict::skip;
  }
  state_.bad_in_row = 0;
  state_.loss.add(loss, keep);
  if (state_.steps < settled) return Verdict::good;
  const double now = smoothed();
  if (now > limit()) return Verdict::diverged;
  if (now < best()) {
    state_.best = now;
    state_.vain_rollbacks = 0;
  } else {
    state_.best = best() + drift * (now - best());
  }
  return Verdict::good;
}

void DivergenceGuard::rolled_back() {
  const std::int64_t in_vain = state_.vain_rollbacks + 1;
  restart();
  state_.vain_rollbacks = in_vain;
}
}  // namespace charnn
