#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "extras/plot/chart.h"
#include "extras/plot/chart_scale.h"

namespace charnn {
namespace {
constexpr std::size_t margin = 9;  // columns for the numbers at the left
constexpr int ansi[] = {34, 33, 32, 35, 36, 31, 90};

std::string painted(const std::string& text, std::size_t series_color, bool color) {
  return color ? fmt::format("\x1b[{}m{}\x1b[0m", ansi[series_color % std::size(ansi)], text) : text;
}

/// The first `columns` characters.
std::string cut(const std::string& text, std::size_t columns) {
  std::string_view rest = text;
  drop_code_points(rest, static_cast<std::int64_t>(columns));
  return text.substr(0, text.size() - rest.size());
}

/// A grid of characters of 2 x 4 dots each (Unicode's Braille patterns).
class DotGrid {
 public:
  DotGrid(std::size_t columns, std::size_t rows)
      : columns_(columns), rows_(rows), dots_(columns * rows), colors_(columns * rows) {}

  double width() const { return static_cast<double>(2 * columns_ - 1); }
  double height() const { return static_cast<double>(4 * rows_ - 1); }

  /// Coordinates in dots from the top left.
  void line(double x0, double y0, double x1, double y1, std::size_t color) {
    const double steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1.0});
    for (int i = 0; i <= static_cast<int>(steps); ++i)
      dot(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, color);
  }

  std::string row(std::size_t r, bool color) const {
    std::string text;
    for (std::size_t c = 0; c < columns_; ++c) {
      const std::uint8_t bits = dots_[r * columns_ + c];
      text += bits == 0 ? " " : painted(encode_utf8(0x2800U + bits), colors_[r * columns_ + c], color);
    }
    return text;
  }

 private:
  void dot(double x, double y, std::size_t color) {
    constexpr std::uint8_t bit[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    const auto column = static_cast<std::size_t>(std::clamp(std::lround(x), 0L, std::lround(width())));
    const auto line = static_cast<std::size_t>(std::clamp(std::lround(y), 0L, std::lround(height())));
    const std::size_t cell = line / 4 * columns_ + column / 2;
    dots_[cell] |= bit[line % 4][column % 2];
    colors_[cell] = color;
  }

  std::size_t columns_, rows_;
  std::vector<std::uint8_t> dots_;
  std::vector<std::size_t> colors_;
};

void draw_curve(DotGrid& grid, const Series& series, const Scale& x, const Scale& y) {
  const auto shown = [&](std::size_t i) { return x.shows(series.x[i]) && y.shows(series.y[i]); };
  const auto dot_x = [&](std::size_t i) { return x.place(series.x[i]) * grid.width(); };
  const auto dot_y = [&](std::size_t i) { return (1 - y.place(series.y[i])) * grid.height(); };
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (!shown(i)) continue;
    const std::size_t from = i > 0 && shown(i - 1) && series.style != Series::Style::dots ? i - 1 : i;
    grid.line(dot_x(from), dot_y(from), dot_x(i), dot_y(i), series.color);
  }
}

/// The numbers below the x axis, each centred under its place where there is room.
std::string x_numbers(const Scale& x, std::size_t columns) {
  std::string line(margin + columns, ' ');
  std::size_t used = 0;
  for (const double tick : x.ticks()) {
    const std::string text = tick_text(tick);
    const double centre = static_cast<double>(margin) + x.place(tick) * static_cast<double>(columns - 1);
    const double first = std::clamp(centre - static_cast<double>(text.size()) / 2, static_cast<double>(margin),
                                    static_cast<double>(line.size() - std::min(line.size(), text.size())));
    const auto begin = static_cast<std::size_t>(first);
    if (begin < used || begin + text.size() > line.size()) continue;
    line.replace(begin, text.size(), text);
    used = begin + text.size() + 2;
  }
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

std::string draw_panel(const Panel& panel, std::size_t columns, std::size_t rows, bool color) {
  const Scale x(all_x(panel), panel.x.log, columns / 12), y(all_y(panel), panel.y.log, rows / 3);
  DotGrid grid(columns, rows);
  // Faint curves would only blur a sketch; their smoothed ones are there.
  for (const Series& series : panel.series)
    if (series.style != Series::Style::faint) draw_curve(grid, thinned(series, 2 * columns), x, y);
  std::vector<std::string> numbers(rows);
  for (const double tick : y.ticks()) {
    const double place = (1 - y.place(tick)) * static_cast<double>(rows - 1);
    if (place > -0.5 && place < static_cast<double>(rows) - 0.5)
      numbers[static_cast<std::size_t>(std::lround(place))] = tick_text(tick);
  }
  std::string text =
      cut(panel.title.empty() ? panel.y.label : panel.title + ": " + panel.y.label, margin + columns) + "\n";
  for (std::size_t r = 0; r < rows; ++r) {
    std::string row = grid.row(r, color);
    row.erase(row.find_last_not_of(' ') + 1);
    text += fmt::format("{:>{}} {}{}\n", cut(numbers[r], margin - 2), margin - 2, numbers[r].empty() ? "│" : "┤", row);
  }
  text += std::string(margin - 1, ' ') + "└";
  for (std::size_t c = 0; c < columns; ++c) text += "─";
  return fmt::format("{}\n{}\n{}\n", text, x_numbers(x, columns),
                     cut(fmt::format("{:>{}}", panel.x.label, margin + columns), margin + columns));
}
}  // namespace

std::string to_terminal(const Chart& chart, std::size_t columns, std::size_t rows, bool color) {
  columns = std::max<std::size_t>(columns, margin + 20);
  rows = std::max<std::size_t>(rows, 5);
  std::string text = cut(safe_for_terminal(chart.title), columns) + "\n";
  std::size_t used = 0;
  for (const LegendEntry& entry : legend_of(chart)) {
    const std::string name = cut(safe_for_terminal(entry.name), columns - 3);
    const auto width = static_cast<std::size_t>(count_code_points(name)) + 5;
    if (used > 0 && used + width > columns + 2) {
      text += "\n";
      used = 0;
    }
    text += painted("━", entry.color, color) + " " + name + "   ";
    used += width;
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  text += used > 0 ? "\n" : "";
  for (const Panel& panel : chart.panels) {
    text += '\n';
    text += draw_panel(panel, columns - margin, rows, color);
  }
  return text;
}
}  // namespace charnn
