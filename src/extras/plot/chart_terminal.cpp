#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "extras/plot/chart.h"

namespace charnn {
namespace {
constexpr std::size_t margin = 9;  // columns for the numbers at the left

std::string painted(const std::string& text, std::size_t series_color, bool color) {
  constexpr int ansi[] = {34, 33, 32, 35, 36, 31, 90};
  return color ? fmt::format("\x1b[{}m{}\x1b[0m", ansi[series_color % std::size(ansi)], text) : text;
}

/// The first `columns` characters.
std::string cut(const std::string& text, std::size_t columns) {
  std::string_view rest = text;
  drop_code_points(rest, static_cast<std::int64_t>(columns));
  return text.substr(0, text.size() - rest.size());
}

/// A character of 2 x 4 dots (Unicode's Braille patterns).
struct Block {
  std::uint8_t dots = 0;
  std::size_t color = 0;
};
using Grid = std::vector<std::vector<Block>>;  ///< rows from the top

void draw_line(Grid& grid, const PlotPoint& from, const PlotPoint& to, std::size_t color) {
  constexpr std::uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
  const auto width = static_cast<double>(2 * grid[0].size() - 1), height = static_cast<double>(4 * grid.size() - 1);
  const double dx = (to.x - from.x) * width, dy = (to.y - from.y) * height;
  const double steps = std::ceil(std::max({std::abs(dx), std::abs(dy), 1.0}));
  for (double i = 0; i <= steps; ++i) {
    const auto x = static_cast<std::size_t>(std::clamp(from.x * width + dx * i / steps + 0.5, 0.0, width));
    const auto y = static_cast<std::size_t>(std::clamp((1 - from.y) * height - dy * i / steps + 0.5, 0.0, height));
    Block& cell = grid[y / 4][x / 2];
    cell.dots |= bits[y % 4][x % 2];
    cell.color = color;
  }
}

/// The numbers below the x axis, each centred under its place if there is room.
std::string x_numbers(const Scale& x, std::size_t columns) {
  std::string line;
  for (const double tick : x.ticks()) {
    const std::string text = tick_text(tick);
    const double centre = margin + x.place(tick) * static_cast<double>(columns - 1);
    const auto begin = static_cast<std::size_t>(std::lround(centre)) - text.size() / 2;
    const std::size_t inside = std::clamp(begin, margin, margin + columns - text.size());
    if (!line.empty() && inside < line.size() + 2) continue;
    line.resize(inside, ' ');
    line += text;
  }
  return line;
}

std::string draw_panel(const Chart& chart, const Panel& panel, std::size_t columns, std::size_t rows, bool color) {
  const Axes axes(chart, panel, columns / 12, rows / 3);
  Grid grid(rows, std::vector<Block>(columns));
  for (const Series& series : panel.series) {
    if (series.style == Series::Style::faint) continue;  // would only blur a sketch; a smoothed version is there
    for (const std::vector<PlotPoint>& line : lines_of(thinned(series, 2 * columns), axes))
      for (std::size_t i = 0; i < line.size(); ++i) draw_line(grid, line[i > 0 ? i - 1 : 0], line[i], series.color);
  }
  std::vector<std::string> numbers(rows);
  for (const double tick : axes.y.ticks()) {
    const double row = std::round((1 - axes.y.place(tick)) * static_cast<double>(rows - 1));
    if (row >= 0 && row < static_cast<double>(rows)) numbers[static_cast<std::size_t>(row)] = tick_text(tick);
  }
  std::string text = cut(panel.y.label, margin + columns) + "\n";
  for (std::size_t row = 0; row < rows; ++row) {
    std::string cells;
    for (const Block& cell : grid[row])
      cells += cell.dots == 0 ? " " : painted(encode_utf8(0x2800U + cell.dots), cell.color, color);
    cells.erase(cells.find_last_not_of(' ') + 1);
    text += fmt::format("{:>{}} {}{}\n", cut(numbers[row], margin - 2), margin - 2, numbers[row].empty() ? "│" : "┤",
                        cells);
  }
  return text + fmt::format("{:>{}}{:─>{}}\n{}\n{}\n", "└", margin, "", columns, x_numbers(axes.x, columns),
                            cut(fmt::format("{:>{}}", panel.x.label, margin + columns), margin + columns));
}
}  // namespace

std::string to_terminal(const Chart& chart, std::size_t columns, std::size_t rows, bool color) {
  columns = std::max<std::size_t>(columns, margin + 20);
  rows = std::max<std::size_t>(rows, 5);
  std::string text = cut(safe_for_terminal(chart.title), columns);
  std::size_t used = columns;  // the legend begins on a new line
  for (const Series& entry : legend_of(chart)) {
    const std::string name = cut(safe_for_terminal(entry.name), columns - 3);
    const auto width = static_cast<std::size_t>(count_code_points(name)) + 2;
    const bool fits = used + 3 + width <= columns;
    text += (fits ? "   " : "\n") + painted(entry.style == Series::Style::dashed ? "╌" : "━", entry.color, color) +
            " " + name;
    used = fits ? used + 3 + width : width;
  }
  text += "\n";
  for (auto panel = chart.panels.rbegin(); panel != chart.panels.rend(); ++panel) {
    const auto height = static_cast<std::size_t>(std::lround(panel->height * static_cast<double>(rows)));
    text += "\n" + draw_panel(chart, *panel, columns - margin, std::max<std::size_t>(height, 3), color);
    for (const Note& note : panel->notes) text += note.text + "\n";
  }
  return text;
}
}  // namespace charnn
