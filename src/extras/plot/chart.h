#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace charnn {
/// One curve of a panel. x and y have the same length; a y that is not finite is a gap.
struct Series {
  enum class Style { line, faint, dashed, dots };

  std::string name;  ///< in the legend; series of the same name and color share one entry; empty: none
  std::vector<double> x, y;
  std::size_t color = 0;  ///< index into the palette
  Style style = Style::line;
};

/// A vertical line with a word at its top.
struct Mark {
  double x = 0;
  std::string text;
};

struct ChartAxis {
  std::string label;  ///< with its unit: "loss (nats per character)"
  bool log = false;   ///< base 10; values of 0 and below are gaps
};

/// One pair of axes.
struct Panel {
  std::string title = {};
  ChartAxis x = {};
  ChartAxis y = {};
  std::vector<Series> series = {};
  std::vector<Mark> marks = {};
};

/// Panels one below the other.
struct Chart {
  std::string title;
  std::vector<Panel> panels;
};

/// A picture that is readable on light and on dark ground (it follows prefers-color-scheme).
std::string to_svg(const Chart& chart);

/// A sketch in Unicode characters, at most `columns` wide, about `rows` lines for each panel; `color`: with ANSI
/// colours.
std::string to_terminal(const Chart& chart, std::size_t columns, std::size_t rows, bool color);
}  // namespace charnn
