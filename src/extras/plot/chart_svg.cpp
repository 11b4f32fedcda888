#include <algorithm>
#include <fmt/format.h>
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "extras/plot/chart.h"
#include "extras/plot/chart_scale.h"

namespace charnn {
namespace {
// Sizes in pixels.
constexpr double width = 800, left = 70, right = 20, panel_height = 250, panel_gap = 62, title_height = 34;
constexpr double plot_width = width - left - right;
constexpr double legend_row = 20, letter = 7;  // a letter's usual width at 12 pixels

// Okabe and Ito's colours (2008, "Color Universal Design"), which colour-blind people tell apart; the dark ones
// lightened for a dark ground.
constexpr const char* light[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#6e5773"};
constexpr const char* dark[] = {"#58a6ff", "#ff8c42", "#2fc497", "#e39cc4", "#8bd0f5", "#f2bc4b", "#b39dba"};
constexpr std::size_t colors = std::size(light);

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : safe_for_terminal(text)) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  return out;
}

std::string style_sheet() {
  std::string style =
      "text{font:12px "
      "system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}.ground{fill:#fff}.grid{stroke:#d8dee4}.axis{stroke:#57606a}.mark{stroke:#57606a;stroke-dasharray:2 "
      "3}polyline,.key{fill:none;stroke-width:1.8;stroke-linejoin:round}.faint{stroke-opacity:.35;stroke-width:1}.dashed{stroke-dasharray:6 "
      "4}";
  const auto rules = [&](const char* const* palette) {
    for (std::size_t i = 0; i < colors; ++i)
      style += fmt::format(".c{0}{{stroke:{1}}}.d{0}{{fill:{1}}}", i, palette[i]);
  };
  rules(light);
  style +=
      "@media(prefers-color-scheme:dark){text{fill:#d0d7de}.ground{fill:#0d1117}.grid{stroke:#30363d}.axis,.mark{stroke:#8b949e}";
  rules(dark);
  return style + "}";
}

const char* class_of(Series::Style style) {
  return style == Series::Style::faint ? " faint" : style == Series::Style::dashed ? " dashed" : "";
}

/// Draws one panel, whose plotting area begins at height `top`.
class PanelDrawing {
 public:
  PanelDrawing(const Panel& panel, double top, std::string& svg)
      : panel_(panel), top_(top), svg_(svg), x_(all_x(panel), panel.x.log, 8), y_(all_y(panel), panel.y.log, 5) {}

  void draw() {
    axes();
    // Faint curves lie beneath the others.
    for (const bool faint : {true, false})
      for (const Series& series : panel_.series)
        if ((series.style == Series::Style::faint) == faint) curve(thinned(series, 500));
    for (const Mark& mark : panel_.marks) {
      if (!x_.shows(mark.x)) continue;
      const double x = px(mark.x);
      svg_ += fmt::format("<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", x, top_,
                          top_ + panel_height);
      // The word stands on that side of the line where there is room.
      const bool before = x > left + plot_width * 0.75;
      svg_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x + (before ? -4 : 4),
                          top_ + 12, before ? "end" : "start", escaped(mark.text));
    }
  }

 private:
  double px(double x) const { return left + plot_width * std::clamp(x_.place(x), -0.01, 1.01); }
  double py(double y) const { return top_ + panel_height * (1 - std::clamp(y_.place(y), -0.01, 1.01)); }

  void axes() {
    for (const double tick : y_.ticks())
      svg_ += fmt::format(
          "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text x=\"{3:.1f}\" "
          "y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
          left, left + plot_width, py(tick), left - 6, py(tick) + 4, tick_text(tick));
    const double bottom = top_ + panel_height;
    for (const double tick : x_.ticks())
      svg_ += fmt::format(
          "<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/><text x=\"{0:.1f}\" "
          "y=\"{3:.1f}\" text-anchor=\"middle\">{4}</text>\n",
          px(tick), bottom, bottom + 4, bottom + 17, tick_text(tick));
    svg_ += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>\n", left,
                        left + plot_width, bottom);
    svg_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", left + plot_width / 2,
                        bottom + 34, escaped(panel_.x.label));
    svg_ += fmt::format("<text transform=\"translate(16 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                        top_ + panel_height / 2, escaped(panel_.y.label));
    if (!panel_.title.empty())
      svg_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", left, top_ - 7, escaped(panel_.title));
  }

  void curve(const Series& series) {
    const std::size_t color = series.color % colors;
    if (series.style == Series::Style::dots) {
      for (std::size_t i = 0; i < series.x.size(); ++i)
        if (x_.shows(series.x[i]) && y_.shows(series.y[i]))
          svg_ += fmt::format("<circle class=\"d{}\" r=\"3\" cx=\"{:.1f}\" cy=\"{:.1f}\"/>", color, px(series.x[i]),
                              py(series.y[i]));
      svg_ += '\n';
      return;
    }
    for (std::size_t i = 0; i < series.x.size();) {
      std::string points;
      const std::size_t first = i;
      for (; i < series.x.size() && x_.shows(series.x[i]) && y_.shows(series.y[i]); ++i)
        points += fmt::format("{:.1f},{:.1f} ", px(series.x[i]), py(series.y[i]));
      if (i == first + 1)  // a line needs two points
        svg_ += fmt::format("<circle class=\"d{}\" r=\"2\" cx=\"{:.1f}\" cy=\"{:.1f}\"/>\n", color, px(series.x[first]),
                            py(series.y[first]));
      else if (i > first)
        svg_ += fmt::format("<polyline class=\"c{}{}\" points=\"{}\"/>\n", color, class_of(series.style), points);
      if (i < series.x.size() && i == first) ++i;  // a gap
    }
  }

  const Panel& panel_;
  double top_;
  std::string& svg_;
  Scale x_, y_;
};

/// Draws the legend from height `top` on; returns its height.
double draw_legend(const std::vector<LegendEntry>& entries, double top, std::string& svg) {
  if (entries.empty()) return 0;
  std::int64_t longest = 0;
  for (const LegendEntry& entry : entries) longest = std::max(longest, count_code_points(entry.name));
  const double cell = std::min(plot_width, 44 + letter * static_cast<double>(longest));
  const auto columns = std::max<std::size_t>(static_cast<std::size_t>(plot_width / cell), 1);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const double x = left + static_cast<double>(i % columns) * cell;
    const std::size_t row = i / columns;
    const double y = top + static_cast<double>(row) * legend_row + 10;
    const std::size_t color = entries[i].color % colors;
    if (entries[i].style == Series::Style::dots)
      svg += fmt::format("<circle class=\"d{}\" r=\"3\" cx=\"{:.1f}\" cy=\"{:.1f}\"/>", color, x + 11, y);
    else
      svg += fmt::format("<line class=\"key c{0}{1}\" x1=\"{2:.1f}\" x2=\"{3:.1f}\" y1=\"{4:.1f}\" y2=\"{4:.1f}\"/>",
                         color, class_of(entries[i].style), x, x + 22, y);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 28, y + 4, escaped(entries[i].name));
  }
  const std::size_t rows = (entries.size() + columns - 1) / columns;
  return legend_row * static_cast<double>(rows) + 6;
}
}  // namespace

std::string to_svg(const Chart& chart) {
  std::string body;
  double y = title_height;
  y += draw_legend(legend_of(chart), y, body);
  for (const Panel& panel : chart.panels) {
    if (!panel.title.empty()) y += 14;
    PanelDrawing(panel, y + 6, body).draw();
    y += panel_height + panel_gap;
  }
  y -= 10;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1:.0f}\" width=\"{0}\" "
      "height=\"{1:.0f}\" "
      "role=\"img\">\n<title>{2}</title>\n<style>{3}</style>\n<rect class=\"ground\" width=\"100%\" "
      "height=\"100%\"/>\n"
      "<text class=\"title\" x=\"{4}\" y=\"22\">{2}</text>\n{5}</svg>\n",
      width, y, escaped(chart.title), style_sheet(), left, body);
}
}  // namespace charnn
