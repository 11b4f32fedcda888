#pragma once
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "core/train/lr_range_test.h"
#include "core/train/train_config.h"
#include "extras/plot/chart.h"
#include "extras/plot/metrics.h"

namespace charnn {
/// What lies along the x axis.
enum class CurveX { steps, epochs, chars, seconds };
inline constexpr std::array<const char*, 4> curve_x_names{"steps", "epochs", "chars", "seconds"};

struct CurveOptions {
  CurveX x = CurveX::steps;
  bool log_loss = false;
  bool val_only = false;  ///< without the training loss
};

/// Loss (training faint, with its smoothed course; validation), learning rate and, of a single run, gradient norm.
/// Several runs have a colour each.
Chart curves_of(const std::vector<std::pair<std::string, Metrics>>& runs, const CurveOptions& options);

/// The learning rate that a schedule gives in steps [0, steps).
Chart schedule_chart(const std::string& title, const ScheduleConfig& schedule, double lr, std::int64_t steps,
                     std::int64_t total_steps);

/// The losses of a learning-rate range test over the rate.
Chart range_test_chart(const RangeCurve& curve, const std::optional<LrSuggestion>& suggestion,
                       const std::string& title);
}  // namespace charnn
