#include "core/train/schedule.h"
#include <algorithm>
#include <cmath>
#include <numbers>
#include <fmt/format.h>
#include "core/base/error.h"

namespace charnn {
namespace {
/// From 1 at p = 0 to `last` at p = 1 along half a cosine.
double half_cosine(double last, double p) { return last + (1 - last) * 0.5 * (1 + std::cos(std::numbers::pi * p)); }

double cosine_restarts(double t, double cycle, double growth, double last) {
  if (growth == 1) t = std::fmod(t, cycle);
  while (t >= cycle) {
    t -= cycle;
    cycle *= growth;
  }
  return half_cosine(last, t / cycle);
}

/// The rate as a share of lr, without the warm-up.
double share(const ScheduleConfig& s, std::int64_t step, std::int64_t total_steps) {
  const auto t = static_cast<double>(std::max<std::int64_t>(step - s.warmup_steps, 0));
  const auto length = static_cast<double>(std::max<std::int64_t>(total_steps - s.warmup_steps, 1));
  const double p = std::min(1.0, t / length);
  const double last = s.final_lr_ratio, rise = s.rise_fraction, stable = s.stable_fraction;
  const double period = s.period_steps > 0 ? static_cast<double>(s.period_steps) : std::max(1.0, length / 5);
  const double warmup = std::max(1.0, static_cast<double>(s.warmup_steps));
  switch (s.kind) {
    case ScheduleKind::constant:
    case ScheduleKind::plateau: return 1;
    case ScheduleKind::linear: return 1 - (1 - last) * p;
    case ScheduleKind::cosine: return half_cosine(last, p);
    case ScheduleKind::cosine_restarts: return cosine_restarts(t, period, s.period_growth, last);
    case ScheduleKind::step: return std::pow(s.decay_factor, std::floor(t / period));
    case ScheduleKind::exponential: return std::pow(last, p);
    case ScheduleKind::one_cycle:
      return p < rise ? half_cosine(1.0 / 25, 1 - p / rise) : half_cosine(last, (p - rise) / (1 - rise));
    case ScheduleKind::wsd: return p < stable ? 1 : 1 - (1 - last) * (p - stable) / (1 - stable);
    case ScheduleKind::inverse_sqrt: return std::sqrt(warmup / (warmup + t));
  }
  return 1;
}
}  // namespace

double learning_rate(const ScheduleConfig& schedule, double lr, std::int64_t step, std::int64_t total_steps,
                     std::int64_t optimizer_steps) {
  const double rate = lr * share(schedule, step, total_steps);
  if (optimizer_steps >= schedule.warmup_steps) return rate;
  return rate * static_cast<double>(optimizer_steps + 1) / static_cast<double>(schedule.warmup_steps);
}

bool needs_horizon(const ScheduleConfig& s) {
  using enum ScheduleKind;
  if (s.kind == step || s.kind == cosine_restarts) return s.period_steps == 0;
  return s.kind != constant && s.kind != inverse_sqrt && s.kind != plateau;
}

bool observe_validation(RateState& rate, const ScheduleConfig& s, double loss) {
  if (s.kind != ScheduleKind::plateau) return false;
  constexpr double threshold = 1e-4;  // a new best must be better by this share
  if (!rate.plateau_best || loss < *rate.plateau_best * (1 - threshold)) {
    rate.plateau_best = loss;
    rate.plateau_evals = 0;
    return false;
  }
  if (++rate.plateau_evals < s.plateau_patience) return false;
  rate.plateau_evals = 0;
  const double before = rate.factor;
  rate.factor = std::min(before, std::max(before * s.decay_factor, s.final_lr_ratio));
  return rate.factor < before;
}

std::int64_t plan_steps(const TrainConfig& train, std::int64_t windows_per_epoch) {
  const std::int64_t by_epochs = train.epochs * windows_per_epoch;
  if (by_epochs == 0 || train.max_steps == 0) return by_epochs + train.max_steps;
  return std::min(by_epochs, train.max_steps);
}

std::int64_t evaluated_chars(const TrainConfig& train, Split val) {
  std::int64_t most = train.eval_max_chars;
  if (most < 0)
    most = train.eval_every > 0
               ? std::max<std::int64_t>(10'000, train.eval_every * train.batch_size * train.sequence_length / 10)
               : 0;
  return most > 0 ? std::min(val.size(), most + 1) : val.size();  // the first symbol is not predicted
}

bool ends_by_time(const TrainConfig& train, const ScheduleConfig& schedule) {
  return train.max_minutes > 0 && schedule.total_steps == 0 && needs_horizon(schedule);
}

void require_plan(const TrainConfig& train, const ScheduleConfig& schedule) {
  const bool has_steps = train.epochs > 0 || train.max_steps > 0;
  if (!has_steps && train.max_minutes == 0)
    fail_input("train.epochs, train.max_steps and train.max_minutes are all 0", "at least one limit",
               "set one of them, for example --epochs 10");
  if (schedule.kind == ScheduleKind::plateau && train.eval_every == 0)
    fail_input("schedule.kind is plateau, but train.eval_every is 0", "evaluations, which the schedule depends on",
               "set --eval-every, for example to 500");
  if (schedule.kind == ScheduleKind::exponential && schedule.final_lr_ratio == 0)
    fail_input("schedule.kind is exponential, but schedule.final_lr_ratio is 0",
               "a ratio above 0, since an exponential never reaches 0", "for example --final-lr-ratio 0.05");
}
}  // namespace charnn
