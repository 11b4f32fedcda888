#include <algorithm>
#include <map>
#include <fmt/format.h>
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "extras/plot/chart.h"

namespace charnn {
namespace {
// Sizes in pixels.
constexpr double image_width = 800, left = 70, right = 780, plot_width = right - left;
constexpr double full_height = 250, panel_gap = 62, title_height = 34;
constexpr double legend_row = 20, letter_width = 7;  // average, at a font size of 12 pixels

// Okabe and Ito's colours (2008, "Color Universal Design"), which colour-blind readers can tell apart; lightened for a
// dark background.
constexpr std::size_t colors = 7;
constexpr const char* style_sheet = R"(
text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}
.ground{fill:#fff}.grid{stroke:#d8dee4}.axis{stroke:#57606a}
.mark{stroke:#57606a;stroke-dasharray:2 3}
circle{fill:currentColor}
polyline,.key{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}
.faint{stroke-opacity:.35;stroke-width:1}.dashed{stroke-dasharray:6 4}
.c0{color:#0072b2}.c1{color:#d55e00}.c2{color:#009e73}.c3{color:#cc79a7}
.c4{color:#56b4e9}.c5{color:#e69f00}.c6{color:#6e5773}
@media(prefers-color-scheme:dark){
text{fill:#d0d7de}.ground{fill:#0d1117}.grid{stroke:#30363d}.axis,.mark{stroke:#8b949e}
.c0{color:#58a6ff}.c1{color:#ff8c42}.c2{color:#2fc497}.c3{color:#e39cc4}
.c4{color:#8bd0f5}.c5{color:#f2bc4b}.c6{color:#b39dba}
}
)";

std::string escaped(const std::string& text) {
  static const std::map<char, const char*> entities{{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
  std::string result;
  for (const char c : safe_for_terminal(text)) {
    const auto entity = entities.find(c);
    result += entity == entities.end() ? std::string(1, c) : entity->second;
  }
  return result;
}

std::string line_at(const std::string& classes, double x1, double y1, double x2, double y2) {
  return fmt::format(R"(<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)", classes, x1, y1, x2, y2);
}

/// `anchor`: the part of the text that is at x: start, middle or end.
std::string text_at(double x, double y, const char* anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, escaped(text));
}

std::string dot_at(double x, double y, const Series& series) {
  const int radius = series.style == Series::Style::dots ? 3 : 2;
  return fmt::format(R"(<circle class="c{}" r="{}" cx="{:.1f}" cy="{:.1f}"/>)", series.color % colors, radius, x, y);
}

std::string line_classes(const Series& series) {
  constexpr const char* styles[] = {"", " faint", " dashed", ""};  // by Series::Style
  return fmt::format("c{}{}", series.color % colors, styles[static_cast<std::size_t>(series.style)]);
}

std::string curve_svg(const Series& series, const Axes& axes, double panel_height) {
  std::string svg;
  for (const std::vector<PlotPoint>& line : lines_of(thinned(series, 500), axes)) {
    std::string points;
    for (const PlotPoint& point : line)
      points += fmt::format("{:.1f},{:.1f} ", plot_width * point.x, panel_height * (1 - point.y));
    svg += line.size() > 1 ? fmt::format("<polyline class=\"{}\" points=\"{}\"/>\n", line_classes(series), points)
                           : dot_at(plot_width * line[0].x, panel_height * (1 - line[0].y), series);
  }
  return svg;
}

/// A panel, with the top left corner of its plotting area at the origin.
std::string panel_svg(const Chart& chart, const Panel& panel) {
  const double panel_height = full_height * panel.height;
  const Axes axes(chart, panel, 8, panel.height < 1 ? 3 : 5);
  std::string svg;
  for (const double tick : axes.y.ticks()) {
    const double at = panel_height * (1 - axes.y.place(tick));
    svg += line_at("grid", 0, at, plot_width, at) + text_at(-6, at + 4, "end", tick_text(tick));
  }
  for (const double tick : axes.x.ticks()) {
    const double at = plot_width * axes.x.place(tick);
    svg += line_at("axis", at, panel_height, at, panel_height + 4) +
           text_at(at, panel_height + 17, "middle", tick_text(tick));
  }
  svg += line_at("axis", 0, panel_height, plot_width, panel_height) +
         text_at(plot_width / 2, panel_height + 34, "middle", panel.x.label) +
         fmt::format("<g transform=\"translate(-54 {}) rotate(-90)\">{}</g>\n", panel_height / 2,
                     text_at(0, 0, "middle", panel.y.label));
  for (const bool faint : {true, false})  // faint curves go beneath the others
    for (const Series& series : panel.series)
      if ((series.style == Series::Style::faint) == faint) svg += curve_svg(series, axes, panel_height);
  for (const Note& note : panel.notes) {
    const double x = plot_width * axes.x.place(note.x), y = panel_height * (1 - axes.y.place(note.y));
    svg += fmt::format(R"(<circle class="c1" r="4" cx="{:.1f}" cy="{:.1f}"/>)", x, y) +
           text_at(x, y - 9, x > plot_width / 2 ? "end" : "start", note.text);
  }
  double taken = 0, row = 0;  // by the latest label, which the next one must not touch
  for (const Mark& mark : panel.marks) {
    if (!axes.x.shows(mark.x)) continue;
    const double place = std::clamp(axes.x.place(mark.x), 0.0, 1.0), at = plot_width * place;
    const bool near_right = place > 0.75;
    const double length = letter_width * static_cast<double>(count_code_points(mark.text));
    const double begin = near_right ? at - 4 - length : at + 4;
    row = begin < taken ? row + 1 : 0;
    taken = begin + length;
    svg += line_at("mark", at, 0, at, panel_height) +
           text_at(near_right ? at - 4 : at + 4, 12 + 14 * row, near_right ? "end" : "start", mark.text);
  }
  return svg;
}
}  // namespace

std::string to_svg(const Chart& chart) {
  std::string body;
  double x = left, y = title_height;
  const std::vector<Series> legend = legend_of(chart);
  for (const Series& entry : legend) {
    const double entry_width = 44 + letter_width * static_cast<double>(count_code_points(entry.name));
    if (x > left && x + entry_width > right) {
      x = left;
      y += legend_row;
    }
    body += line_at("key " + line_classes(entry), x, y + 10, x + 22, y + 10);
    body += text_at(x + 28, y + 14, "start", entry.name);
    x += entry_width;
  }
  y += legend.empty() ? 6 : legend_row + 12;
  for (const Panel& panel : chart.panels) {
    body += fmt::format("<g transform=\"translate({} {})\">\n{}</g>\n", left, y, panel_svg(chart, panel));
    y += full_height * panel.height + panel_gap;
  }
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img">
<title>{2}</title>
<style>{3}</style>
<rect class="ground" width="100%" height="100%"/>
<text class="title" x="{4}" y="22">{2}</text>
{5}</svg>
)",
      image_width, y - 16, escaped(chart.title), style_sheet, left, body);
}
}  // namespace charnn
