#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "charnn/base/error.h"
#include "charnn/base/files.h"
#include "charnn/cli/chart_output.h"
#include "charnn/cli/commands.h"
#include "charnn/cli/config.h"
#include "charnn/cli/runtime.h"
#include "charnn/cli/training_setup.h"
#include "charnn/train/line_sink.h"
#include "charnn/train/lr_range_test.h"

namespace charnn::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
  ConfigInput input;
  RangeTestConfig range;
  ChartOutput output;
  bool json = false;
};

Chart chart_of(const RangeCurve& curve, const std::optional<LrSuggestion>& suggestion,
               const std::string& title) {
  Series raw{"", {}, {}, 0, Series::Style::faint},
      smoothed{"training loss, smoothed", {}, {}, 0, Series::Style::line};
  for (const RangePoint& point : curve.points) {
    raw.x.push_back(point.lr);
    raw.y.push_back(point.loss);
  }
  smoothed.x = raw.x;
  smoothed.y = smoothed_losses(curve.points);
  Panel panel{.x = {"learning rate", true}, .y = {"loss (nats per character)"}, .series = {raw, smoothed}};
  if (suggestion)
    panel.marks = {{suggestion->lr, fmt::format("{:g}", suggestion->lr)}, {suggestion->lowest, "lowest"}};
  return {title, {panel}};
}

ordered_json report(const RangeCurve& curve, const std::optional<LrSuggestion>& suggestion) {
  ordered_json json = {
      {"suggestion", nullptr}, {"exploded", curve.exploded}, {"curve", ordered_json::array()}};
  if (suggestion) {
    json["suggestion"] = suggestion->lr;
    json["steepest"] = suggestion->steepest;
    json["enough"] = suggestion->enough;
    json["lowest"] = suggestion->lowest;
    json["lowest_loss"] = suggestion->lowest_loss;
  }
  const std::vector<double> smoothed = smoothed_losses(curve.points);
  for (std::size_t i = 0; i < smoothed.size(); ++i)
    json["curve"].push_back(
        {{"lr", curve.points[i].lr}, {"loss", curve.points[i].loss}, {"smoothed", smoothed[i]}});
  return json;
}

std::string explanation(const RangeCurve& curve, const LrSuggestion& s) {
  return fmt::format(
      "The rate rose from {:.1g} to {:.2g} in {} steps{}. The loss fell fastest at {:.2g} and was lowest "
      "({:.3f}) at\n"
      "{:.2g}. At {:.2g} 95 % of the fall was done: higher rates gain little and come close to the point "
      "where\n"
      "training breaks. Half of that is a good rate for a whole training:\n\n  --lr {:g}\n",
      curve.points.front().lr, curve.points.back().lr, curve.points.size(),
      curve.exploded ? ", where the loss exploded" : "", s.steepest, s.lowest_loss, s.lowest, s.enough, s.lr);
}

int lr_find(const Options& options) {
  if (options.range.min_lr >= options.range.max_lr)
    fail_input(fmt::format("--min-lr {:g} --max-lr {:g}", options.range.min_lr, options.range.max_lr),
               "a range from low to high", "for example --min-lr 1e-5 --max-lr 1");
  const StopSignals signals;
  Config config;
  options.input.apply(config);
  config.optimizer.lr = options.range.max_lr;  // what is asked for here; the schedule plays no part
  const TrainingSetup setup(config, Corpus(config.data), nullptr);
  const RangeCurve curve = lr_range_test(*setup.model, *setup.adam, *setup.batcher, config.optimizer,
                                         options.range, [] { return StopSignals::received() != 0; });
  if (curve.stopped) return 128 + StopSignals::received();
  const auto suggestion = suggest_lr(curve.points);
  const std::string title = fmt::format("learning-rate range test: {} {} x {}",
                                        cell_names[static_cast<std::size_t>(config.model.cell)],
                                        config.model.layers, config.model.hidden);
  const Chart chart = chart_of(curve, suggestion, title);
  if (!options.output.file.empty()) write_file(options.output.file, to_svg(chart));
  if (options.json) {
    write_stdout(report(curve, suggestion).dump() + "\n");
  } else {
    if (!curve.points.empty()) write_chart(chart, {.file = {}, .terminal = true});
    if (suggestion) write_stdout("\n" + explanation(curve, *suggestion));
  }
  if (!suggestion)
    throw Error(
        ExitCode::diverged,
        fmt::format("the loss never fell: {} of {} steps, from rate {:g}{}", curve.points.size(),
                    options.range.steps, options.range.min_lr, curve.exploded ? ", then it exploded" : ""),
        "a loss that falls at some rate between --min-lr and --max-lr",
        curve.exploded ? "a lower --min-lr, for example 1e-5"
                       : "a higher --max-lr, more --steps, or a text with some order in it");
  return 0;
}

}  // namespace

void add_lr_find(CLI::App& app, const Globals&, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("lr-find", "find a learning rate with a short range test; nothing is saved");
  command->add_option("config", options->input.file, "config file (JSON), as for train")
      ->type_name("CONFIG.json");
  command->add_option("--min-lr", options->range.min_lr, "rate of the first step")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--max-lr", options->range.max_lr, "rate of the last step")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--steps", options->range.steps, "steps of the test")
      ->check(CLI::Range(20, 1'000'000))
      ->capture_default_str();
  command->add_option("--svg", options->output.file, "write the curve as a picture to this file")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "print suggestion and curve as JSON");
  add_config_flags(*command, options->input, {"data", "model", "optimizer", "schedule", "train"});
  command->callback([&action, options] { action = [options] { return lr_find(*options); }; });
}

}  // namespace charnn::cli
