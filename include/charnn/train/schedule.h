#pragma once

#include <cstdint>

#include "charnn/io/train_state.h"
#include "charnn/train/train_config.h"

namespace charnn {

/// Learning rate of the step numbered `step` (from 0): a pure function, so there is nothing to save and
/// nothing to reset. With t = step - warmup_steps, L = total_steps - warmup_steps, p = min(1, t / L),
/// r = final_lr_ratio, P = period_steps (L / 5 if 0), the rate is lr times:
///
///   warm-up          (step + 1) / warmup_steps times the first value of what follows
///   constant         1
///   linear           1 - (1 - r) p
///   cosine           c(p) = r + (1 - r) (1 + cos(pi p)) / 2     (Loshchilov, Hutter 2016, "SGDR")
///   cosine_restarts  c(u / C): place u in a cycle of length C = P, P g, P g^2, ...; g = period_growth
///   (ibid.) step             decay_factor ^ floor(t / P) exponential      r ^ p one_cycle        for p < f =
///   rise_fraction: rises from 1/25 to 1, by half a cosine; then c((p - f) / (1 - f))
///                    (Smith, Topin 2017, "Super-convergence")
///   wsd              1 while p < s = stable_fraction, then linear in (p - s) / (1 - s)
///                    (Hu et al. 2024, "MiniCPM": warm-up, stable, decay)
///   inverse_sqrt     sqrt(w / (w + t)), w = max(warmup_steps, 1)    (Vaswani et al. 2017)
///   plateau          1; drops come from observe_validation()
double learning_rate(const ScheduleConfig& schedule, double lr, std::int64_t step, std::int64_t total_steps);

/// The same for an optimizer that has taken only `optimizer_steps` steps, fewer than `step` once its moments
/// were lost: they need the warm-up again.
double learning_rate(const ScheduleConfig& schedule, double lr, std::int64_t step, std::int64_t total_steps,
                     std::int64_t optimizer_steps);

/// True if the rate depends on where training ends.
bool needs_horizon(const ScheduleConfig& schedule);

/// Tells the plateau schedule what an evaluation found (nats per character). Returns true if the rate drops:
/// rate.factor has become smaller. Does nothing for other schedules.
bool observe_validation(RateState& rate, const ScheduleConfig& schedule, double loss);

}  // namespace charnn
