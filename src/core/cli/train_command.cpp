#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>
#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/cli/extras.h"
#include "core/cli/run_folder.h"
#include "core/cli/run_start.h"
#include "core/cli/runtime.h"
#include "core/cli/training_setup.h"
#include "core/sample/generator.h"
#include "core/train/console_sinks.h"
#include "core/train/metrics_sink.h"
#include "core/train/schedule.h"
#include "core/train/trainer.h"

namespace charnn::cli {
namespace {
/// Some text to show at an evaluation, as config.sample says.
class Sample {
 public:
  /// Throws as Sampler.
  Sample(const Network& network, const Vocabulary& vocabulary, const Config& config)
      : network_(network), vocabulary_(vocabulary), config_(config) {
    SampleConfig sample = config.sample;
    constexpr std::int64_t shown = 200;
    sample.length = std::min(sample.length, shown);
    sampler_ = std::make_shared<Sampler>(sample, vocabulary);
  }

  std::string operator()(std::int64_t step) const {
    const std::string& separator = config_.data.document_separator;
    Stepper stepper(network_.layout(), network_.weights().to_host());
    Generator generator(stepper, vocabulary_, vocabulary_.encode(separator, "separator"));
    std::string text;
    generate(generator, {.prompt = beginning(vocabulary_, separator),
                         .sampler = sampler_,
                         .length = sampler_->config().length,
                         .seed = static_cast<std::uint64_t>(config_.train.seed + step),
                         .on_text = [&](const TextPiece& piece) {
                           text += piece.text;
                           return true;
                         }});
    return text;
  }

 private:
  const Network& network_;
  const Vocabulary& vocabulary_;
  const Config& config_;
  std::shared_ptr<const Sampler> sampler_;
};

/// Where a person reads how training goes: train.log always; stderr as a bar on a terminal, else as lines.
class Display {
 public:
  Display(const RunFolder& run, const Globals& globals) {
    const bool quiet = globals.quiet;
    require_own_file(run.log());
    std::vector<spdlog::sink_ptr> outputs{std::make_shared<spdlog::sinks::basic_file_sink_mt>(run.log())};
    outputs[0]->set_pattern("%Y-%m-%d %H:%M:%S %v");
    if (!quiet && !globals.verbose && ::isatty(STDERR_FILENO) == 1) {
      bar_ = std::make_unique<BarSink>(stderr, wants_color(STDERR_FILENO));
    } else if (!quiet) {
      outputs.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
      outputs.back()->set_pattern("%v");
    }
    auto logger = std::make_shared<spdlog::logger>("charnn", outputs.begin(), outputs.end());
    logger->flush_on(spdlog::level::info);
    // spdlog's own handler would say so every second, in the midst of the bar.
    logger->set_error_handler([said = false](const std::string& error) mutable {
      if (!std::exchange(said, true)) say("charnn: {}", error);
    });
    lines_ = std::make_unique<LineSink>(logger, std::chrono::seconds(globals.verbose ? 0 : 5));
  }

  /// At once, and not by way of the sinks: one of those may be what is warned of.
  void warn(const Warning& warning) const {
    lines_->warn(warning);
    if (bar_) bar_->warn(warning);
  }

  void add_to(std::vector<Sink*>& sinks) const {
    sinks.push_back(lines_.get());
    if (bar_) sinks.push_back(bar_.get());
  }

 private:
  std::unique_ptr<LineSink> lines_;
  std::unique_ptr<BarSink> bar_;
};

RunInfo run_info(const Config& config, const TrainingSetup& setup, const Trainer& trainer,
                 const std::string& config_json) {
  const ModelConfig& m = config.model;
  const Corpus& corpus = setup.corpus;
  RunInfo info;
  info.title = fmt::format(
      "{} {} x {}, {} parameters; {} training and {} validation characters, vocabulary {}; {}, {} thread{}",
      name_of(m.cell, cell_names), m.layers, m.hidden, setup.network->layout().size(), corpus.train().size(),
      corpus.val().size(), corpus.vocabulary().size(), setup.device == Device::cuda ? "cuda" : "cpu",
      setup.network->pool().size(), setup.network->pool().size() == 1 ? "" : "s");
  info.config = config_json;
  info.parameters = setup.network->layout().size();
  info.vocabulary = corpus.vocabulary().size();
  info.train_chars = corpus.train().size();
  info.val_chars = corpus.val().size();
  info.first_step = trainer.state().step;
  info.last_step = trainer.last_step();
  return info;
}

std::string file_of(const RunFolder& run, CheckpointKind kind, std::int64_t step) {
  return kind == CheckpointKind::best ? run.best() : kind == CheckpointKind::kept ? run.kept(step) : run.last();
}

void save_in(const TrainStart& start, CheckpointKind kind, const Checkpoint& c) {
  if (!start.lock->in_place())
    throw Error(ExitCode::failure,
                fmt::format("run folder {} is not where it was when training began", start.run.path()), "",
                "move it back, so that it can be saved to");
  save_checkpoint(file_of(start.run, kind, c.train.step), c);
  if (kind == CheckpointKind::kept) start.run.remove_kept(c.train.step, start.config.train.keep);
}

/// Lets every sink end before the first failure is passed on.
void end_sinks(const std::vector<Sink*>& sinks, const EndInfo& end) {
  std::optional<Error> failure;
  for (Sink* sink : sinks) try {
      sink->end(end);
    } catch (const Error& error) {
      if (!failure) failure = error;
    }
  if (failure) throw Error(*failure);
}

/// trainer.run(). If it fails, what waits in the sinks is still written, as far as that goes, and of a run that never
/// was nothing stays.
Outcome run_to_end(Trainer& trainer, const std::vector<Sink*>& sinks, const TrainStart& start) {
  try {
    return trainer.run();
  } catch (...) {
    try {
      end_sinks(sinks, {"failed", trainer.state().step, trainer.elapsed()});
    } catch (const Error& error) {
      say("charnn: {}", error.what());
    }
    if (!start.resumed && !std::filesystem::exists(start.run.last())) start.run.remove_run();
    throw;
  }
}

std::string reason_of(Outcome outcome, int signal, const TrainConfig& train, bool saved) {
  switch (outcome) {
    case Outcome::finished: return "finished";
    case Outcome::early:
      return fmt::format("ended early, with no better validation in {} evaluations,", train.patience);
    case Outcome::stop_at: return "stopped as asked (--stop-at)";
    case Outcome::stopped: break;
  }
  return fmt::format("stopped by SIG{}{}", signal == SIGINT ? "INT" : "TERM", saved ? ", saved" : "");
}

void say_next(const Globals& globals, const RunFolder& run, const Trainer& trainer, const Config& config,
              Outcome outcome) {
  if (globals.quiet) return;
  const TrainState& state = trainer.state();
  if (outcome == Outcome::finished && state.step < trainer.total_steps() && needs_horizon(config.schedule))
    say("time was up at step {} of {}, before the learning rate had come down. For the best result in this time: "
        "--total-steps {}",
        state.step, trainer.total_steps(), state.step);
  if (state.best_loss)
    say("best model: {}, validation loss {} at step {}, {} of training in all", run.best(),
        describe_loss(*state.best_loss), state.best_step, describe_seconds(trainer.elapsed()));
  else
    say("model: {}, not validated, {} of training in all", run.last(), describe_seconds(trainer.elapsed()));
  if (outcome == Outcome::stopped || outcome == Outcome::stop_at)
    say("go on:  charnn train --resume --out {}", run.path());
  say("sample: charnn sample {}", run.path());
}

int train(const TrainRequest& request, const Globals& globals, const Extras& extras) {
  const StopSignals signals;
  TrainStart start = prepare_start(request);
  const Config& config = start.config;
  const RunFolder& run = start.run;
  const TrainingSetup setup(config, open_corpus(start, request.extend_vocab),
                            start.checkpoint ? &*start.checkpoint : nullptr,
                            /*with_moments=*/!start.resumed && !request.reset_optimizer);
  const Corpus& corpus = setup.corpus;
  const Sample sample(*setup.network, corpus.vocabulary(), config);

  claim_folder(start, request.overwrite);
  const std::string config_json = to_json_text(config);
  write_file(run.config(), config_json);
  const Display display(run, globals);
  const auto warn = [&](const Warning& warning) { display.warn(warning); };
  MetricsSink metrics(run.metrics(), start.resumed ? start.checkpoint->train : TrainState{}, warn);
  std::vector<Sink*> sinks{&metrics};
  std::vector<std::unique_ptr<Sink>> extra_sinks;
  for (const auto& make : extras.sinks)
    sinks.push_back(
        extra_sinks.emplace_back(make({run, start.resumed ? start.checkpoint->train.step : 0, warn})).get());
  display.add_to(sinks);

  Trainer trainer({.train = config.train,
                   .optimizer = config.optimizer,
                   .schedule = config.schedule,
                   .network = *setup.network,
                   .adam = *setup.adam,
                   .batcher = *setup.batcher,
                   .corpus = corpus,
                   .sinks = sinks,
                   .save = [&](CheckpointKind kind, const Checkpoint& c) { save_in(start, kind, c); },
                   .load = [&](CheckpointKind kind) { return load_checkpoint(file_of(run, kind, 0)); },
                   .sample = sample,
                   .stop = [] { return StopSignals::received() != 0; },
                   .config_json = config_json,
                   .elapsed_before = metrics.elapsed_before(),
                   .stop_at = request.stop_at});
  if (start.resumed) trainer.restore(*start.checkpoint, {request.reset_optimizer, start.new_rate});
  const RunInfo info = run_info(config, setup, trainer, config_json);
  for (Sink* sink : sinks) sink->begin(info);
  const Outcome outcome = run_to_end(trainer, sinks, start);

  const int signal = StopSignals::received();
  end_sinks(sinks,
            {reason_of(outcome, signal, config.train, trainer.saved()), trainer.state().step, trainer.elapsed()});
  say_next(globals, run, trainer, config, outcome);
  return outcome == Outcome::stopped ? 128 + signal : 0;
}
}  // namespace

void add_train(CLI::App& app, const Globals& globals, Action& action, const Extras& extras) {
  auto request = std::make_shared<TrainRequest>();
  CLI::App* command = app.add_subcommand("train", "train a network on a text, or go on training");
  command->add_option("config", request->input.file, "config file (JSON); every option can also be given as a flag")
      ->type_name("CONFIG.json");
  command->add_option("--out", request->out, "run folder; default: runs/ and the name of the config or the text")
      ->type_name("DIR");
  auto* resume = command->add_flag("--resume", request->resume, "go on with the run in --out exactly where it stopped");
  command->add_flag("--overwrite", request->overwrite, "replace the run in --out")->excludes(resume);
  auto* init_from = command
                        ->add_option("--init-from", request->init_from,
                                     "start a new run from the weights of a trained one, and Adam's moments")
                        ->excludes(resume)
                        ->type_name("RUN|CKPT");
  command
      ->add_flag("--extend-vocab", request->extend_vocab,
                 "with --init-from: the network learns the text's new characters, too, and keeps all it knows")
      ->needs(init_from);
  command->add_flag("--reset-optimizer", request->reset_optimizer,
                    "with --resume or --init-from: forget Adam's moments (training gets worse for a while)");
  command->add_option("--stop-at", request->stop_at, "end this process at step N, the plan unchanged; --resume goes on")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  add_config_flags(*command, request->input, {"data", "model", "optimizer", "schedule", "train", "sample"});
  on_chosen(command, action, [request, &globals, &extras] { return train(*request, globals, extras); });
}
}  // namespace charnn::cli
