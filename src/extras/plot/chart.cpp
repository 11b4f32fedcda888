#include "extras/plot/chart.h"
#include <algorithm>
#include <set>
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

std::vector<double> all_values(const Panel& panel, std::vector<double> Series::*axis) {
  std::vector<double> all;
  for (const Series& series : panel.series) all.insert(all.end(), (series.*axis).begin(), (series.*axis).end());
  if (axis == &Series::y)
    for (double& value : all) value = std::min(value, panel.y.top);  // a gap stays one
  return all;
}

std::vector<double> shared_values(const Chart& chart, const Panel& panel) {
  std::vector<double> all;
  for (const Panel& other : chart.panels)
    if (other.x.label == panel.x.label) {
      const std::vector<double> values = all_values(other, &Series::x);
      all.insert(all.end(), values.begin(), values.end());
    }
  return all;
}
}  // namespace

Scale::Scale(const std::vector<double>& values, bool log, std::size_t ticks) : log_(log) {
  std::vector<double> shown;
  for (const double value : values)
    if (shows(value)) shown.push_back(position(value));
  if (shown.empty()) shown = log ? std::vector{-1.0, 0.0} : std::vector{0.0, 1.0};
  double low = std::ranges::min(shown), high = std::ranges::max(shown);
  if (high - low <= 1e-9 * std::max(std::abs(low), std::abs(high))) {  // a single value
    const double margin = log ? 0.5 : std::max(std::abs(high) * 0.1, 1e-12);
    low -= margin;
    high += margin;
  }
  const auto wanted = static_cast<double>(ticks);
  if (!log) {
    const double spacing = round_up((high - low) / wanted);
    const double first = std::floor(low / spacing + 1e-9), last = std::ceil(high / spacing - 1e-9);
    for (double i = first; i <= last; ++i) ticks_.push_back(i * spacing);
    low_ = ticks_.front();
    high_ = ticks_.back();
    return;
  }
  low_ = low - 0.02 * (high - low);
  high_ = high + 0.02 * (high - low);
  // Over many decades only every n-th power of ten is a tick; over few, there are ticks between the powers.
  const double decades = high_ - low_;
  const int every = static_cast<int>(std::max(1.0, std::ceil(decades / wanted)));
  std::vector<double> digits{1};
  if (decades < wanted / 2) digits = {1, 2, 5};
  if (decades < 1) digits = {1, 1.5, 2, 3, 4, 5, 7};
  for (int power = static_cast<int>(std::floor(low_)); power <= std::ceil(high_); ++power)
    for (const double digit : digits) {
      const double at = std::log10(digit) + power;
      if (power % every == 0 && at >= low_ && at <= high_) ticks_.push_back(digit * std::pow(10, power));
    }
}

std::string tick_text(double value) {
  const double size = std::abs(value);
  if (size >= 1e9) return fmt::format("{:g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:g}k", value / 1e3);
  return fmt::format("{:.6g}", value);
}

std::vector<Series> legend_of(const Chart& chart) {
  std::vector<Series> entries;
  std::set<std::pair<std::string, std::size_t>> known;
  for (const Panel& panel : chart.panels)
    for (const Series& series : panel.series)
      if (!series.name.empty() && known.emplace(series.name, series.color).second)
        entries.push_back({series.name, {}, {}, series.color, series.style});
  return entries;
}

Series thinned(const Series& series, std::size_t buckets) {
  const std::size_t count = series.x.size();
  if (count <= 2 * buckets) return series;
  Series thin{series.name, {}, {}, series.color, series.style};
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    const std::size_t begin = bucket * count / buckets, end = (bucket + 1) * count / buckets;
    std::size_t low = begin, high = begin;  // a bucket without finite values becomes a gap
    for (std::size_t i = begin; i < end; ++i) {
      if (!std::isfinite(series.y[i])) continue;
      if (!(series.y[i] >= series.y[low])) low = i;
      if (!(series.y[i] <= series.y[high])) high = i;
    }
    for (const std::size_t i : std::set{low, high}) {
      thin.x.push_back(series.x[i]);
      thin.y.push_back(series.y[i]);
    }
  }
  return thin;
}

Axes::Axes(const Chart& chart, const Panel& panel, std::size_t x_ticks, std::size_t y_ticks)
    : x(shared_values(chart, panel), panel.x.log, x_ticks), y(all_values(panel, &Series::y), panel.y.log, y_ticks) {}

std::vector<std::vector<PlotPoint>> lines_of(const Series& series, const Axes& axes) {
  std::vector<std::vector<PlotPoint>> lines;
  bool begins = true;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    const bool shown = axes.x.shows(series.x[i]) && axes.y.shows(series.y[i]);
    if (shown && begins) lines.emplace_back();
    if (shown) lines.back().push_back({axes.x.place(series.x[i]), std::min(1.0, axes.y.place(series.y[i]))});
    begins = !shown || series.style == Series::Style::dots;
  }
  return lines;
}
}  // namespace charnn
