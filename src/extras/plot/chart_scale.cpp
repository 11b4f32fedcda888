#include "extras/plot/chart_scale.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <fmt/format.h>

namespace charnn {
namespace {
/// The smallest of 1, 2, 5, 10 times a power of ten that is at least `size`.
double round_up(double size) {
  const double power = std::pow(10, std::floor(std::log10(size)));
  for (const double digit : {1.0, 2.0, 5.0})
    if (digit * power >= size * (1 - 1e-9)) return digit * power;
  return 10 * power;
}
}  // namespace

bool Scale::shows(double value) const { return std::isfinite(value) && (!log_ || value > 0); }

double Scale::position(double value) const { return log_ ? std::log10(value) : value; }

double Scale::place(double value) const { return (position(value) - low_) / (high_ - low_); }

Scale::Scale(const std::vector<double>& values, bool log, std::size_t ticks) : log_(log) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double value : values)
    if (shows(value)) {
      low = std::min(low, position(value));
      high = std::max(high, position(value));
    }
  if (low > high) low = log ? -1 : 0, high = log ? 0 : 1;  // nothing to show
  if (high - low < 1e-9 * std::max(std::abs(low), std::abs(high)) || high == low) {
    // One value: some room on both sides of it.
    const double room = log ? 0.5 : std::max(std::abs(high) * 0.1, 1e-12);
    low -= room;
    high += room;
  }
  if (!log) {
    const double spacing = round_up((high - low) / static_cast<double>(ticks));
    low_ = std::floor(low / spacing + 1e-9) * spacing;
    high_ = std::ceil(high / spacing - 1e-9) * spacing;
    const auto count = static_cast<int>(std::lround((high_ - low_) / spacing));
    for (int i = 0; i <= count; ++i) {
      const double tick = low_ + i * spacing;
      ticks_.push_back(std::abs(tick) < 1e-9 * spacing ? 0 : tick);
    }
    return;
  }
  low_ = low - 0.02 * (high - low);
  high_ = high + 0.02 * (high - low);
  // All powers of ten, or only every so many where there are a lot; digits between them where there are few.
  const double decades = high_ - low_;
  const int every = static_cast<int>(std::max(1.0, std::ceil(decades / static_cast<double>(ticks))));
  const std::vector<double> digits = decades < 1 ? std::vector{1., 1.5, 2., 3., 4., 5., 7.}
                                     : decades < static_cast<double>(ticks) / 2 ? std::vector{1., 2., 5.}
                                                                                : std::vector{1.};
  for (int power = static_cast<int>(std::floor(low_)); power <= std::ceil(high_); ++power) {
    if (power % every != 0) continue;
    for (const double digit : digits) {
      const double at = std::log10(digit) + power;
      if (at >= low_ && at <= high_) ticks_.push_back(digit * std::pow(10, power));
    }
  }
}

std::string tick_text(double value) {
  const double size = std::abs(value);
  if (size >= 1e9) return fmt::format("{:g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:g}k", value / 1e3);
  return fmt::format("{:.6g}", value);
}

std::vector<LegendEntry> legend_of(const Chart& chart) {
  std::vector<LegendEntry> entries;
  for (const Panel& panel : chart.panels)
    for (const Series& series : panel.series) {
      const bool known = std::any_of(entries.begin(), entries.end(), [&](const LegendEntry& e) {
        return e.name == series.name && e.color == series.color;
      });
      if (!series.name.empty() && !known) entries.push_back({series.name, series.color, series.style});
    }
  return entries;
}

Series thinned(const Series& series, std::size_t buckets) {
  const std::size_t count = series.x.size();
  if (count <= 2 * buckets) return series;
  Series thin = series;
  thin.x.clear();
  thin.y.clear();
  const auto keep = [&](std::size_t i) {
    thin.x.push_back(series.x[i]);
    thin.y.push_back(series.y[i]);
  };
  for (std::size_t b = 0; b < buckets; ++b) {
    const std::size_t begin = b * count / buckets, end = (b + 1) * count / buckets;
    std::size_t low = begin, high = begin;  // of what can be shown; a bucket of gaps gives a gap
    for (std::size_t i = begin; i < end; ++i) {
      if (!std::isfinite(series.y[i])) continue;
      if (!(series.y[i] >= series.y[low])) low = i;
      if (!(series.y[i] <= series.y[high])) high = i;
    }
    keep(std::min(low, high));
    if (low != high) keep(std::max(low, high));
  }
  return thin;
}

std::vector<double> all_x(const Panel& panel) {
  std::vector<double> all;
  for (const Series& series : panel.series) all.insert(all.end(), series.x.begin(), series.x.end());
  return all;
}

std::vector<double> all_y(const Panel& panel) {
  std::vector<double> all;
  for (const Series& series : panel.series) all.insert(all.end(), series.y.begin(), series.y.end());
  return all;
}
}  // namespace charnn
