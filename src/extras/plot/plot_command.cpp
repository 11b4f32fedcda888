#include <filesystem>
#include <memory>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/cli/config.h"
#include "core/cli/extras.h"
#include "core/cli/run_folder.h"
#include "core/data/batcher.h"
#include "core/train/schedule.h"
#include "extras/plot/chart_output.h"
#include "extras/plot/curves.h"
#include "extras/plot/plot_sink.h"

namespace charnn::cli {
namespace {
struct Options {
  std::vector<std::string> runs;
  ConfigInput schedule;
  ChartOutput output;
  std::string x = "steps";
  CurveOptions curves;
};

/// metrics.jsonl of a run folder, or the file itself.
std::string metrics_path(const std::string& run_or_file) {
  return std::filesystem::is_directory(run_or_file) ? RunFolder(run_or_file).metrics() : run_or_file;
}

/// A name that tells the runs apart: the folder's own, or all of what was typed if two have the same.
std::vector<std::string> names_of(const std::vector<std::string>& runs) {
  std::vector<std::string> names;
  for (const std::string& run : runs) {
    std::filesystem::path path = std::filesystem::path(run).lexically_normal();
    if (path.filename() == "metrics.jsonl") path = path.parent_path();
    if (path.filename().empty()) path = path.parent_path();
    names.push_back(path.filename().string());
  }
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (names[i] == names[j]) return runs;
  return names;
}

Chart chart_of_schedule(const ConfigInput& input) {
  Config config;
  input.apply(config);
  require_plan(config.train, config.schedule);
  std::int64_t steps = config.train.max_steps;
  if (config.train.epochs > 0) {  // how long an epoch is depends on the text
    const Corpus corpus(config.data);
    const Batcher batcher(corpus, corpus.train(), config.train.batch_size, config.train.sequence_length);
    steps = plan_steps(config.train, batcher.windows_per_epoch());
  }
  const std::int64_t total = config.schedule.total_steps > 0 ? config.schedule.total_steps : steps;
  if (steps == 0) steps = total > 0 ? total : std::max<std::int64_t>(1000, 5 * config.schedule.warmup_steps);
  const char* kind = name_of(config.schedule.kind, schedule_names);
  return schedule_chart(
      fmt::format("{}: {}, lr {:g}", input.file.empty() ? "schedule" : input.file, kind, config.optimizer.lr),
      config.schedule, config.optimizer.lr, steps, total);
}

Chart chart_of_runs(const Options& options) {
  std::vector<std::pair<std::string, Metrics>> runs;
  const std::vector<std::string> names = names_of(options.runs);
  for (std::size_t i = 0; i < names.size(); ++i)
    runs.emplace_back(names[i], read_metrics(metrics_path(options.runs[i])));
  return curves_of(runs, options.curves);
}

int plot(Options options, bool of_schedule) {
  if (options.runs.empty() == !of_schedule)
    fail_input(of_schedule ? "plot with both runs and --schedule" : "plot without a run",
               "run folders, or --schedule CONFIG.json", "for example: charnn plot runs/mine");
  for (std::size_t i = 0; i < curve_x_names.size(); ++i)
    if (options.x == curve_x_names[i]) options.curves.x = static_cast<CurveX>(i);
  write_chart(of_schedule ? chart_of_schedule(options.schedule) : chart_of_runs(options), options.output);
  return 0;
}

void add_plot_command(CLI::App& app, const Globals&, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("plot", "draw the curves of runs, or a schedule before training");
  command->add_option("runs", options->runs, "run folders, or metrics.jsonl files")->type_name("RUN...");
  auto* schedule = command
                       ->add_option("--schedule", options->schedule.file,
                                    "draw the learning rate that this config gives, before training")
                       ->type_name("CONFIG.json");
  command->add_option("--set", options->schedule.sets, "with --schedule: any option of the config by its key")
      ->needs(schedule)
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  add_chart_output(*command, options->output, "-o,--out");
  command->add_option("--x", options->x, "what lies along the x axis")
      ->check(CLI::IsMember(std::vector<std::string>(curve_x_names.begin(), curve_x_names.end())))
      ->capture_default_str();
  command->add_flag("--log", options->curves.log_loss, "logarithmic loss axis");
  command->add_flag("--val-only", options->curves.val_only, "leave out the training loss");
  on_chosen(command, action, [options, schedule] { return plot(*options, schedule->count() > 0); });
}

/// loss.svg in the run folder.
std::unique_ptr<Sink> make_plot_sink(const SinkContext& context) {
  Metrics history;
  try {
    if (context.first_step > 0) history = read_metrics(context.run.metrics());
  } catch (const Error&) {
    // Empty, or not quite as charnn writes it: only a picture depends on it.
  }
  return std::make_unique<PlotSink>(context.run.picture(), context.run.path(), std::move(history), context.warn);
}
}  // namespace

void add_plot(Extras& extras) {
  extras.commands.emplace_back(add_plot_command);
  extras.sinks.emplace_back(make_plot_sink);
  extras.range_test_svg = [](const auto& curve, const auto& suggestion, const std::string& title) {
    return to_svg(range_test_chart(curve, suggestion, title));
  };
  extras.range_test_sketch = [](const auto& curve, const auto& suggestion, const std::string& title) {
    return terminal_sketch(range_test_chart(curve, suggestion, title));
  };
}
}  // namespace charnn::cli
