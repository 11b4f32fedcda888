#pragma once
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace charnn {
/// One curve of a panel. x and y have the same length; where y is not finite, the curve has a gap.
struct Series {
  enum class Style { line, faint, dashed, dots };

  std::string name;  ///< in the legend; series with the same name and color share an entry; empty: no entry
  std::vector<double> x, y;
  std::size_t color = 0;  ///< index into the palette
  Style style = Style::line;
};

/// A vertical line with a label at its top.
struct Mark {
  double x = 0;
  std::string text;
};

/// A point with a label beside it.
struct Note {
  double x = 0, y = 0;
  std::string text;
};

struct ChartAxis {
  std::string label;                                     ///< with its unit: "loss (nats per character)"
  bool log = false;                                      ///< base 10; values of 0 and below are gaps
  double top = std::numeric_limits<double>::infinity();  ///< the axis ends here; what is above lies on its end
};

/// One pair of axes.
struct Panel {
  ChartAxis x = {};
  ChartAxis y = {};
  std::vector<Series> series = {};
  std::vector<Mark> marks = {};
  std::vector<Note> notes = {};
  double height = 1;  ///< of the usual one
};

/// Panels, one below the other.
struct Chart {
  std::string title;
  std::vector<Panel> panels;
};

/// An SVG picture, readable on a light and on a dark background (it follows prefers-color-scheme).
std::string to_svg(const Chart& chart);

/// A sketch in Unicode characters, at most `columns` wide, `rows` lines for a panel of the usual height, and the first
/// panel last, where the eye of a person at a terminal is; `color`: with ANSI colours.
std::string to_terminal(const Chart& chart, std::size_t columns, std::size_t rows, bool color);

/// Maps the values of an axis to positions and chooses its ticks.
class Scale {
 public:
  /// Covers all `values` that can be shown, with a margin, and has about `ticks` round ticks: 1, 2 or 5 times a power
  /// of ten; on a log axis 1, 2 and 5 times each power, or only the powers.
  Scale(const std::vector<double>& values, bool log, std::size_t ticks);

  /// shows() is false for gaps; place() is 0 at the low end and 1 at the high end.
  bool shows(double value) const { return std::isfinite(value) && (!log_ || value > 0); }
  double place(double value) const { return (position(value) - low_) / (high_ - low_); }
  const std::vector<double>& ticks() const noexcept { return ticks_; }

 private:
  double position(double value) const { return log_ ? std::log10(value) : value; }

  bool log_;
  double low_ = 0, high_ = 1;  ///< positions
  std::vector<double> ticks_;
};

/// "0.002", "250", "15k", "2M".
std::string tick_text(double value);

/// The entries of the legend: series without points.
std::vector<Series> legend_of(const Chart& chart);

/// The lowest and the highest point of each bucket, so that no spike is lost; gaps stay.
Series thinned(const Series& series, std::size_t buckets);

/// The scales of a panel, from the values of all its series.
struct Axes {
  /// `chart`: panels with the same label on their x axis have the same axis.
  Axes(const Chart& chart, const Panel& panel, std::size_t x_ticks, std::size_t y_ticks);
  Scale x, y;
};

/// A point in the plotting area: 0 is left or bottom, 1 is right or top.
struct PlotPoint {
  double x, y;
};

/// The lines that make up a curve, split at its gaps; of Style::dots, each point on its own.
std::vector<std::vector<PlotPoint>> lines_of(const Series& series, const Axes& axes);
}  // namespace charnn
