#pragma once
#include <string>
#include <vector>
#include "extras/plot/chart.h"

namespace charnn {
/// How an axis maps values to places, and where it has its ticks.
class Scale {
 public:
  /// Spans `values` (those that can be shown) with a little room, and chooses about `ticks` round values: 1, 2 or 5
  /// times a power of ten, or on a log axis 1, 2 and 5, or only 1, of each power.
  Scale(const std::vector<double>& values, bool log, std::size_t ticks);

  bool shows(double value) const;    ///< finite, and above 0 on a log axis
  double place(double value) const;  ///< 0 at the low end, 1 at the high end
  const std::vector<double>& ticks() const noexcept { return ticks_; }

 private:
  double position(double value) const;

  bool log_;
  double low_ = 0, high_ = 1;  ///< positions
  std::vector<double> ticks_;
};

/// "0.002", "250", "15k", "2M".
std::string tick_text(double value);

/// One entry of the legend.
struct LegendEntry {
  std::string name;
  std::size_t color = 0;
  Series::Style style = Series::Style::line;
};
std::vector<LegendEntry> legend_of(const Chart& chart);

/// At most about 2 * buckets points of a series: of each bucket the lowest and the highest, so that no spike is lost.
/// Points that cannot be shown stay as gaps.
Series thinned(const Series& series, std::size_t buckets);

/// All x, or all y, of a panel's series.
std::vector<double> all_x(const Panel& panel);
std::vector<double> all_y(const Panel& panel);
}  // namespace charnn
