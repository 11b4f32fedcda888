#pragma once
#include <string>
#include <CLI/CLI.hpp>
#include "extras/plot/chart.h"

namespace charnn::cli {
/// Where a chart goes.
struct ChartOutput {
  std::string file;       ///< SVG; "-": stdout
  bool terminal = false;  ///< a sketch on stdout
};

/// Adds `file_flag` and --terminal to `command`.
void add_chart_output(CLI::App& command, ChartOutput& output, const std::string& file_flag);

/// For stdout, as wide as the terminal, in colour if it is one.
std::string terminal_sketch(const Chart& chart);

/// Where nothing was asked for: a sketch on a terminal, SVG into a pipe.
void write_chart(const Chart& chart, const ChartOutput& output);
}  // namespace charnn::cli
