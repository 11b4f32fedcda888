#include <memory>
#include <optional>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/cli/training_setup.h"
#include "extras/lr_find/lr_range_test.h"

namespace charnn::cli {
namespace {
using nlohmann::ordered_json;

struct LrFindOptions {
  ConfigInput input;
  RangeTestConfig range{.steps = 0};
  std::string svg;
  bool json = false;
};

/// True if the range ended too early to show which rates are too high.
bool falls_at_end(const RangeCurve& curve, const LrSuggestion& suggestion) {
  return suggestion.at_end && !curve.exploded;
}

ordered_json report(const RangeCurve& curve, const std::optional<LrSuggestion>& s) {
  ordered_json json = {{"suggestion", nullptr}, {"exploded", curve.exploded}, {"curve", ordered_json::array()}};
  if (s)
    json.update({{"suggestion", s->lr},
                 {"steepest", s->steepest},
                 {"enough", s->enough},
                 {"lowest", s->lowest},
                 {"lowest_loss", s->lowest_loss},
                 {"falls_at_end", falls_at_end(curve, *s)}});
  const std::vector<double> smoothed = smoothed_losses(curve.points);
  for (std::size_t i = 0; i < smoothed.size(); ++i)
    json["curve"].push_back({{"lr", curve.points[i].lr}, {"loss", curve.points[i].loss}, {"smoothed", smoothed[i]}});
  return json;
}

std::string explanation(const RangeCurve& curve, const LrSuggestion& s) {
  std::string text = fmt::format(
      "The rate rose from {:.1g} to {:.2g} in {} steps{}. The loss fell fastest at {:.2g} and was lowest ({:.3f}) at\n"
      "{:.2g}. ",
      curve.points.front().lr, curve.points.back().lr, curve.points.size(),
      curve.exploded ? ", where the loss exploded" : "", s.steepest, s.lowest_loss, s.lowest);
  if (falls_at_end(curve, s))
    text +=
        "It was still falling at the end of the range: higher rates may be better than this one.\n"
        "Try a higher --max-lr.";
  else
    text += fmt::format(
        "95 % of the fall was reached at {:.2g}: higher rates gain little and come close to the point\n"
        "where training breaks. Half of that is a good rate for a whole training:",
        s.enough);
  return text + fmt::format("\n\n  --lr {:g}\n", s.lr);
}

CurvePicture picture_of(const RangeCurve& curve, const std::optional<LrSuggestion>& suggestion,
                        const std::string& title) {
  CurvePicture picture{.title = title, .x_label = "learning rate", .smoothed = smoothed_losses(curve.points)};
  for (const RangePoint& point : curve.points) {
    picture.x.push_back(point.lr);
    picture.loss.push_back(point.loss);
  }
  if (suggestion)
    picture.marks = {{suggestion->lr, fmt::format("suggested {:g}", suggestion->lr)}, {suggestion->lowest, "lowest"}};
  return picture;
}

int lr_find(const LrFindOptions& options, const Globals& globals, const Extras& extras) {
  RangeTestConfig range = options.range;
  if (range.min_lr >= range.max_lr)
    fail_input(fmt::format("--min-lr {:g} --max-lr {:g}", range.min_lr, range.max_lr), "a range from low to high",
               "for example --min-lr 1e-5 --max-lr 1");
  if (options.json && options.svg == "-")
    fail_input("--json and --svg -", "only one of them on stdout", "name a file for the picture: --svg FILE");
  const StopSignals signals;
  Config config;
  ConfigInput input = options.input;
  input.take_words();
  complete_new_run(config, input.apply(config));
  config.optimizer.lr = range.max_lr;  // the range replaces the rate and its schedule
  range.state = config.train.state;
  if (range.steps == 0) range.steps = range_test_steps(config.train.batch_size * config.train.sequence_length);
  const TrainingSetup setup(config, Corpus(config.data), nullptr);
  std::optional<AtomicFile> picture;  // opened first: a wrong name must not cost the work
  if (!options.svg.empty() && options.svg != "-") picture.emplace(options.svg);

  const std::string title = fmt::format("learning-rate range test: {} {} x {}", name_of(config.model.cell, cell_names),
                                        config.model.layers, config.model.hidden);
  auto display = make_display(globals);
  if (display)
    display->begin(
        {.title = fmt::format("{}, {} steps from {:g} to {:g}", title, range.steps, range.min_lr, range.max_lr),
         .last_step = range.steps});
  const RangeCurve curve = lr_range_test(
      *setup.network, *setup.adam, *setup.batcher, range, [] { return StopSignals::received() != 0; }, display.get());
  display.reset();
  if (curve.stopped) return 128 + StopSignals::received();

  const auto suggestion = suggest_lr(curve.points);
  const CurvePicture drawn = picture_of(curve, suggestion, title);
  if (options.svg == "-") {
    write_stdout(extras.draw_svg(drawn));
  } else if (options.json) {
    write_json(report(curve, suggestion));
  } else {
    if (!curve.points.empty() && extras.draw_sketch) write_stdout(extras.draw_sketch(drawn));
    if (suggestion) write_stdout("\n" + explanation(curve, *suggestion));
  }
  if (picture && !curve.points.empty()) {
    picture->write(extras.draw_svg(drawn));
    picture->commit();
    if (!globals.quiet) say("wrote {}", options.svg);
  }
  if (suggestion) return 0;
  throw Error(ExitCode::diverged,
              fmt::format("the loss never decreased in {} steps, starting at a rate of {:g}{}", curve.points.size(),
                          range.min_lr, curve.exploded ? ", and then exploded" : ""),
              "a loss that decreases at some rate between --min-lr and --max-lr",
              curve.exploded ? "a lower --min-lr, for example 1e-5"
                             : "a higher --max-lr, more --steps, or a text with some structure");
}

void add_lr_find_command(CLI::App& app, const Globals& globals, Action& action, const Extras& extras) {
  auto options = std::make_shared<LrFindOptions>();
  CLI::App* command = app.add_subcommand("lr-find", "find a learning rate with a short range test; nothing is saved");
  command->add_option("words", options->input.words, "config and texts, as for train")
      ->type_name("CONFIG.json|TEXT...");
  add_number(*command, "--min-lr", options->range.min_lr, above(0), "rate of the first step");
  add_number(*command, "--max-lr", options->range.max_lr, above(0), "rate of the last step");
  add_number(*command, "--steps", options->range.steps, from_to(20, 1'000'000),
             "steps of the test; default: 400, more where a step is small");
  if (extras.draw_svg)
    command->add_option("--svg", options->svg, "write the curve as a picture to this file; -: to stdout")
        ->type_name("FILE");
  command->add_flag("--json", options->json, "print suggestion and curve as JSON");
  add_config_flags(*command, options->input, {"data", "model", "optimizer", "schedule", "train"});
  on_chosen(command, action, [options, &globals, &extras] { return lr_find(*options, globals, extras); });
}
}  // namespace

void add_lr_find(Extras& extras) {
  extras.commands.emplace_back([&extras](CLI::App& app, const Globals& globals, Action& action) {
    add_lr_find_command(app, globals, action, extras);
  });
}
}  // namespace charnn::cli
