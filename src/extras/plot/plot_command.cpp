#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/cli/config.h"
#include "core/cli/extras.h"
#include "core/cli/run_folder.h"
#include "core/cli/runtime.h"
#include "core/data/batcher.h"
#include "core/train/schedule.h"
#include "extras/plot/curves.h"

namespace charnn::cli {
namespace {
struct PlotOptions {
  std::vector<std::string> runs;
  ConfigInput schedule;
  std::string file;       ///< "-": SVG to stdout
  bool terminal = false;  ///< a sketch to stdout
  std::string x = curve_x[0].first;
  CurveOptions curves;
};

/// The metrics of runs, named after their folders, or as the user typed them if two folders have the same name.
std::vector<std::pair<std::string, Metrics>> read_runs(const std::vector<std::string>& typed) {
  std::vector<std::pair<std::string, Metrics>> runs;
  std::set<std::string> names;
  for (const std::string& run_or_file : typed) {
    const bool is_folder = std::filesystem::is_directory(run_or_file);
    const std::string file = is_folder ? RunFolder(run_or_file).metrics() : run_or_file;
    if (is_folder && !std::filesystem::exists(file)) refuse_folder_of_runs(run_or_file);
    std::filesystem::path path = std::filesystem::absolute(file).lexically_normal();
    if (path.filename() == "metrics.jsonl") path = path.parent_path();
    runs.emplace_back(path.filename().string(), read_metrics(file));
    names.insert(runs.back().first);
  }
  if (names.size() < runs.size())
    for (std::size_t i = 0; i < runs.size(); ++i) runs[i].first = typed[i];
  return runs;
}

Chart chart_of_schedule(const ConfigInput& input) {
  Config config;
  input.apply(config);
  require_plan(config.train, config.schedule);
  std::int64_t steps = config.train.max_steps;
  if (config.train.epochs > 0) {  // the length of an epoch depends on the text
    const Corpus corpus(config.data);
    const Batcher batcher(corpus, corpus.train(), config.train.batch_size, config.train.sequence_length);
    steps = plan_steps(config.train, batcher.windows_per_epoch());
  }
  if (steps == 0) steps = config.schedule.total_steps;
  const bool by_time = steps == 0;
  if (by_time) steps = std::max<std::int64_t>(1000, 5 * config.schedule.warmup_steps);
  const std::int64_t total = config.schedule.total_steps > 0 ? config.schedule.total_steps : steps;
  const std::string name = std::filesystem::path(input.file).filename().string();
  const std::string title =
      fmt::format("{}: {}, lr {:g}{}", name.empty() ? "schedule" : name, name_of(config.schedule.kind, schedule_names),
                  config.optimizer.lr, by_time ? fmt::format(" (limited by time: drawn for {} steps)", steps) : "");
  return schedule_chart(title, config.schedule, config.optimizer.lr, steps, total);
}

/// As large as the terminal that stdout is, and in colour if it is one. The lower panels are left out where
/// there is no room for them.
std::string terminal_sketch(Chart chart) {
  const auto rows = static_cast<double>(terminal_rows(STDOUT_FILENO).value_or(40));
  constexpr double least = 6, most = 20;
  const auto room = [&] {
    double heights = 0, others = 5;  // lines of title, legend and prompt
    for (const Panel& panel : chart.panels) {
      heights += panel.height;
      others += 5 + static_cast<double>(panel.notes.size());
    }
    return (rows - others) / heights;
  };
  while (chart.panels.size() > 1 && room() < least) chart.panels.pop_back();
  return to_terminal(chart, std::min<std::size_t>(terminal_columns(STDOUT_FILENO).value_or(80), 120),
                     static_cast<std::size_t>(std::clamp(room(), least, most)), wants_color(STDOUT_FILENO));
}

int plot(PlotOptions options, bool of_schedule) {
  if (options.runs.empty() == !of_schedule)
    fail_input(of_schedule ? "plot with both runs and --schedule" : "plot without a run",
               "run folders, or --schedule CONFIG.json", "for example: charnn plot runs/mine");
  for (const auto& [name, x] : curve_x)
    if (options.x == name) options.curves.x = x;
  const Chart chart =
      of_schedule ? chart_of_schedule(options.schedule) : curves_of(read_runs(options.runs), options.curves);
  const bool on_screen = options.file.empty() && ::isatty(STDOUT_FILENO) == 1;
  const bool sketch = options.terminal || on_screen;
  const bool to_stdout = options.file.empty() || options.file == "-";
  if (!to_stdout) {
    write_file(options.file, to_svg(chart));
    say("wrote {}", options.file);
  }
  if (to_stdout || sketch) write_stdout(sketch ? terminal_sketch(chart) : to_svg(chart));
  if (on_screen && !options.terminal) say("for a picture, add --out FILE.svg");
  return 0;
}

void add_plot_command(CLI::App& app, const Globals&, Action& action) {
  auto options = std::make_shared<PlotOptions>();
  CLI::App* command = app.add_subcommand("plot", "draw the curves of runs, or a schedule before training");
  command->add_option("runs", options->runs, "run folders or metrics.jsonl files")->type_name("RUN...");
  CLI::Option* schedule = command->add_option("--schedule", options->schedule.file,
                                              "draw the learning rate of this config, before training");
  schedule->type_name("CONFIG.json");
  command->add_option("--set", options->schedule.sets, "with --schedule: any option of the config by its key")
      ->needs(schedule)
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  command->add_option("-o,--out", options->file, "write an SVG picture to this file; -: to stdout")->type_name("FILE");
  command->add_flag("--terminal", options->terminal, "draw a sketch in the terminal");
  command->add_option("--x", options->x, "quantity on the x axis")
      ->check(CLI::IsMember(curve_x))
      ->capture_default_str();
  command->add_flag("--log", options->curves.log_loss, "logarithmic loss axis");
  command->add_flag("--val-only", options->curves.val_only, "leave out the training loss");
  on_chosen(command, action, [options, schedule] { return plot(*options, schedule->count() > 0); });
}

Chart chart_of(const CurvePicture& curve) {
  Panel panel{.x = {curve.x_label, true}, .y = {"loss (nats per character)"}};
  panel.series = {{"training loss", curve.x, curve.loss, 0, Series::Style::faint},
                  {"training loss, smoothed", curve.x, curve.smoothed, 0, Series::Style::line}};
  for (const auto& [x, text] : curve.marks) panel.marks.push_back({x, text});
  return {curve.title, {panel}};
}

/// Draws loss.svg in the run folder.
std::unique_ptr<Sink> make_plot_sink(const SinkContext& context) {
  Metrics history;
  try {
    if (context.first_step > 0) history = read_metrics(context.run.metrics());
  } catch (const Error&) {
    // The file is empty or damaged. Only the picture needs it.
  }
  return std::make_unique<PlotSink>(context.run.picture(), context.run.path(), std::move(history), context.warn);
}
}  // namespace

void add_plot(Extras& extras) {
  extras.commands.emplace_back(add_plot_command);
  extras.sinks.emplace_back(make_plot_sink);
  extras.draw_svg = [](const CurvePicture& curve) { return to_svg(chart_of(curve)); };
  extras.draw_sketch = [](const CurvePicture& curve) { return terminal_sketch(chart_of(curve)); };
}
}  // namespace charnn::cli
