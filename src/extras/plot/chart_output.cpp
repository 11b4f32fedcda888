#include "extras/plot/chart_output.h"
#include <algorithm>
#include <unistd.h>
#include <fmt/format.h>
#include "core/base/files.h"
#include "core/base/terminal.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
void add_chart_output(CLI::App& command, ChartOutput& output, const std::string& file_flag) {
  command.add_option(file_flag, output.file, "write the picture (SVG) to this file; -: to stdout")->type_name("FILE");
  command.add_flag("--terminal", output.terminal, "draw a sketch on the terminal");
}

std::string terminal_sketch(const Chart& chart) {
  return to_terminal(chart, std::min<std::size_t>(terminal_columns(STDOUT_FILENO).value_or(80), 120), 12,
                     wants_color(STDOUT_FILENO));
}

void write_chart(const Chart& chart, const ChartOutput& output) {
  const bool to_screen = output.file.empty() && ::isatty(STDOUT_FILENO) == 1;
  if (!output.file.empty() && output.file != "-") {
    write_file(output.file, to_svg(chart));
    say("wrote {}", output.file);
  }
  if (output.terminal || to_screen) {
    write_stdout(terminal_sketch(chart));
    if (to_screen && !output.terminal) say("as a picture: add --out FILE.svg");
  } else if (output.file.empty() || output.file == "-") {
    write_stdout(to_svg(chart));
  }
}
}  // namespace charnn::cli
