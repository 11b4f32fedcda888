#include "core/train/divergence.h"
#include <cmath>

namespace charnn {
namespace {
constexpr double keep = 0.98;  // of the average, at each step

// So many steps after a beginning the smoothed loss means something. After a rollback the network also gets this time
// to come back from where it was put.
constexpr std::int64_t settled = 100;

// The best drifts up by this share of the distance, each step: where a text really becomes harder for good, it is the
// new normal after some thousand steps.
constexpr double drift = 0.001;
}  // namespace

DivergenceGuard::DivergenceGuard(const TrainConfig& config, GuardState& state, double guess)
    : config_(config), state_(state), guess_(guess) {}

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

void DivergenceGuard::begin_anew() {
  state_.loss = {};
  state_.steps = 0;
  state_.bad_in_row = 0;
  state_.vain_rollbacks = 0;
}

void DivergenceGuard::rolled_back() {
  const std::int64_t in_vain = state_.vain_rollbacks + 1;
  begin_anew();
  state_.vain_rollbacks = in_vain;
}
}  // namespace charnn
