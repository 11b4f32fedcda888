#include <filesystem>
#include <memory>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include "core/cli/extras.h"
#include "core/cli/launch.h"
#include "core/cli/runtime.h"
#include "core/cli/train_group.h"
#include "core/train/console_sinks.h"

namespace charnn::cli {
std::unique_ptr<Sink> make_display(const Globals& globals) {
  if (globals.quiet) return nullptr;
  if (!globals.verbose && ::isatty(STDERR_FILENO) == 1)
    return std::make_unique<BarSink>(stderr, wants_color(STDERR_FILENO), writes_utf8());
  auto logger = std::make_shared<spdlog::logger>("charnn", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%v");
  return std::make_unique<LineSink>(std::move(logger), globals.line_interval());
}

namespace {
void say_next(const TrainEnd& end) {
  const TrainState& state = end.state;
  const std::string& folder = end.run.path();
  if (state.best_loss)
    say("best model: {}, validation loss {} at step {}{}, {} of training in all", end.run.best(),
        describe_loss(*state.best_loss), state.best_step,
        end.full_loss ? fmt::format(", {:.4f} on all of the validation part", *end.full_loss) : "",
        describe_seconds(end.seconds));
  else
    say("model: {}, not validated, {} of training in all", end.run.last(), describe_seconds(end.seconds));
  if (end.outcome == Outcome::stopped || end.outcome == Outcome::stop_at)
    say("resume: charnn train --resume --out {}", folder);
  say("sample: charnn sample {}", folder);
}

int train(const TrainRequest& request, const Globals& globals, const Extras& extras) try {
  const StopSignals signals;
  StopSignals::accept_save_requests();
  const Company company(static_cast<int>(request.processes));
  const bool quiet = globals.quiet || !company.group->leads();
  const auto display = quiet ? nullptr : make_display(globals);
  const TrainEnd end = run_training(request, {.group = company.group.get(),
                                              .display = display.get(),
                                              .sinks = extras.sinks,
                                              .log_interval = globals.line_interval(),
                                              .message = [](const std::string& text) { say("charnn: {}", text); },
                                              .note =
                                                  [&](const std::string& text) {
                                                    if (!quiet) say("charnn: {}", text);
                                                  },
                                              .stop = [] { return StopSignals::received(); },
                                              .save_now = [] { return StopSignals::save_requested(); }});
  if (!quiet) say_next(end);
  return end.outcome == Outcome::stopped ? 128 + end.stopped_by : 0;
} catch (const Relayed& error) {
  return static_cast<int>(error.code());
}
}  // namespace

void add_train(CLI::App& app, const Globals& globals, Action& action, const Extras& extras) {
  auto request = std::make_shared<TrainRequest>();
  CLI::App* command = app.add_subcommand("train", "train a network on a text, or resume training");
  command
      ->add_option("words", request->input.words,
                   "a config (every option can also be given as a flag), and texts to learn from")
      ->type_name("CONFIG.json|TEXT...");
  command->add_option("--out", request->out, "run folder; default: runs/ and the name of the config or the text")
      ->type_name("DIR");
  auto* resume = command->add_flag("--resume", request->resume, "continue the run in --out exactly where it stopped");
  command->add_flag("--overwrite", request->overwrite, "replace the run in --out")->excludes(resume);
  auto* init_from = command
                        ->add_option("--init-from", request->init_from,
                                     "start a new run from the weights and Adam's moments of a trained network")
                        ->excludes(resume)
                        ->type_name("RUN|CKPT");
  command
      ->add_flag("--extend-vocab", request->extend_vocab,
                 "with --init-from: add the text's new characters to the vocabulary and keep all it has")
      ->needs(init_from);
  command->add_flag("--reset-optimizer", request->reset_optimizer,
                    "with --resume or --init-from: forget Adam's moments (training gets worse for a while)");
  add_number(*command, "--stop-at", request->stop_at, at_least(0),
             "end this process at step N, the plan unchanged; --resume goes on; 0: at the plan's end");
  add_number(
      *command, "--processes", request->processes, from_to(1, 1024),
      "start so many processes on this machine that train together (docs/scaling.md); their number is a power of "
      "two");
  add_config_flags(*command, request->input, {"data", "model", "optimizer", "schedule", "train", "sample"});
  on_chosen(command, action, [request, &globals, &extras] {
    std::vector<std::string>& words = request->input.words;
    if (request->resume && request->out.empty() && words.size() == 1 && std::filesystem::is_directory(words[0])) {
      request->out = words[0];
      words.clear();
    }
    request->input.take_words();
    return train(*request, globals, extras);
  });
}
}  // namespace charnn::cli
