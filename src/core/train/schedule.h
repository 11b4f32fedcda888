#pragma once
#include <cstdint>
#include "core/io/train_state.h"
#include "core/train/train_config.h"

namespace charnn {
/// Learning rate of step `step` (from 0): a pure function, so it has no state to save or reset. With
/// t = step - warmup_steps, L = total_steps - warmup_steps, p = min(1, t / L), r = final_lr_ratio,
/// P = period_steps (L / 5 if 0), g = period_growth, f = rise_fraction and s = stable_fraction, the rate is lr times:
///
///   constant         1
///   linear           1 - (1 - r) p
///   cosine           c(p) = r + (1 - r) (1 + cos(pi p)) / 2                  Loshchilov, Hutter 2016, "SGDR"
///   cosine_restarts  c(u / C), u = place in a cycle of length C = P, P g, P g^2, ...                 ibid.
///   step             decay_factor ^ floor(t / P)
///   exponential      r ^ p
///   one_cycle        p < f: half a cosine from 1/25 up to 1; then c((p - f) / (1 - f))
///                                                            Smith, Topin 2017, "Super-convergence"
///   wsd              p < s: 1; then linear in (p - s) / (1 - s) down to r    Hu et al. 2024, "MiniCPM"
///   inverse_sqrt     sqrt(w / (w + t)), w = max(warmup_steps, 1)             Vaswani et al. 2017
///   plateau          1; observe_validation() lowers the rate
///
/// During warm-up it is multiplied by (optimizer_steps + 1) / warmup_steps. `optimizer_steps` is below `step` if the
/// optimizer's moments were reset: they need another warm-up.
double learning_rate(const ScheduleConfig& schedule, double lr, std::int64_t step, std::int64_t total_steps,
                     std::int64_t optimizer_steps);
inline double learning_rate(const ScheduleConfig& schedule, double lr, std::int64_t step, std::int64_t total_steps) {
  return learning_rate(schedule, lr, step, total_steps, step);
}

/// True if the rate depends on where training ends.
bool needs_horizon(const ScheduleConfig& schedule);

/// Gives the plateau schedule the result of an evaluation (nats per character). Returns true if rate.factor drops.
bool observe_validation(RateState& rate, const ScheduleConfig& schedule, double loss);

/// The step at which epochs or max_steps end training; 0 if neither is set.
std::int64_t plan_steps(const TrainConfig& train, std::int64_t windows_per_epoch);

/// How much of the validation part evaluations during training read: eval_max_chars, or by default as much as makes
/// them a twentieth of the work, since to evaluate a character costs up to half of what training on it does.
std::int64_t evaluated_chars(const TrainConfig& train, Split val);

/// True if max_minutes is to shape the schedule: it needs an end, and schedule.total_steps does not give it.
bool ends_by_time(const TrainConfig& train, const ScheduleConfig& schedule);

/// Throws Error (usage) if nothing limits training, or the schedule needs an end or evaluations that there are not.
void require_plan(const TrainConfig& train, const ScheduleConfig& schedule);
}  // namespace charnn
