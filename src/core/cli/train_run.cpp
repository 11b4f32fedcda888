#include "core/cli/train_run.h"
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>
#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include "core/base/error.h"
#include "core/cli/runtime.h"
#include "core/cli/text_maker.h"
#include "core/cli/train_group.h"
#include "core/cli/training_setup.h"
#include "core/train/console_sinks.h"
#include "core/train/metrics_sink.h"
#include "core/train/schedule.h"
#include "kernels/thread_pool.h"

namespace charnn::cli {
namespace {
namespace fs = std::filesystem;

/// The validation part is the end of a text, which may be of another kind.
void warn_of_split(const Corpus& corpus, double val_fraction, const TrainHooks& hooks) {
  constexpr double much = 0.1;
  if (corpus.val().size() == 0) return;
  const double share = static_cast<double>(corpus.val().size()) / static_cast<double>(corpus.size());
  if (corpus.has_documents() && share > 0.05 + 2 * val_fraction)
    hooks.note(fmt::format("documents are not cut, so the validation part is {:.0f} % of the text: it has few of them",
                           100 * share));
  if (corpus.has_documents()) return;
  if (const double unlike = corpus.unlikeness(); unlike > much)
    hooks.note(fmt::format(
        "the end of the text, which is the validation part, has other letters than the rest (they differ by {:.2f} "
        "nats; 0.03 is usual). Is it sorted, or of several kinds? Then the validation loss says little. {}, "
        "which shuffles them: {}",
        unlike, corpus.files() > 1 ? "Make each file a document" : "Of a list, make each line a document",
        corpus.files() > 1 ? "--documents files" : "--document-separator '\\n'"));
}

std::shared_ptr<spdlog::logger> open_log(const RunFolder& run, const TrainHooks& hooks) {
  require_own_file(run.log());
  auto logger =
      std::make_shared<spdlog::logger>("charnn", std::make_shared<spdlog::sinks::basic_file_sink_mt>(run.log()));
  logger->set_pattern("%Y-%m-%d %H:%M:%S %v");
  logger->flush_on(spdlog::level::info);
  // spdlog's own handler prints to stderr every second.
  logger->set_error_handler([&hooks, reported = false](const std::string& error) mutable {
    if (!std::exchange(reported, true)) hooks.message(error);
  });
  return logger;
}

RunInfo run_info(const Config& config, const TrainingSetup& setup, const Trainer& trainer, const Group& group) {
  const Corpus& corpus = setup.corpus;
  const Network& network = *setup.network;
  const int threads = network.pool().size();
  RunInfo info{.config = to_json_text(config),
               .parameters = network.layout().size(),
               .vocabulary = corpus.vocabulary().size(),
               .train_chars = corpus.train().size(),
               .val_chars = corpus.val().size(),
               .first_step = trainer.state().step,
               .best_loss = trainer.state().best_loss,
               .last_step = trainer.last_step()};
  const std::string processes = group.size() == 1 ? "" : fmt::format("{} processes of ", group.size());
  info.title = fmt::format(
      "{} {} x {}, {} parameters; {} training and {} validation characters, vocabulary {}; {}, {}, {}{} thread{}{}",
      name_of(config.model.cell, cell_names), config.model.layers, config.model.hidden, info.parameters,
      info.train_chars, info.val_chars, info.vocabulary, name_of(network.device(), device_kind_names),
      name_of(config.train.precision, precision_names), processes, threads, threads == 1 ? "" : "s",
      config.train.shards == 1 ? "" : fmt::format(", {} shards", config.train.shards));
  return info;
}

/// A resumed run may have nothing left to do, or a schedule that ends later than it did.
void say_how_it_goes_on(const TrainStart& start, const Trainer& trainer, const Batcher& batcher,
                        const TrainHooks& hooks) {
  const std::int64_t step = trainer.state().step, last = trainer.last_step();
  if (last > 0 && step >= last)
    return hooks.note(fmt::format(
        "{} is finished, at step {}: nothing to do. To go on, give a later end: --epochs, --max-steps or --max-minutes",
        start.run.path(), step));
  const Config before = config_from_json(start.checkpoint->config, start.run.last());
  std::int64_t end = before.schedule.total_steps;
  if (end == 0) end = plan_steps(before.train, batcher.windows_per_epoch());
  if (end == 0 || !needs_horizon(before.schedule)) return;
  const double was = learning_rate(before.schedule, before.optimizer.lr, step, end);
  const double is = learning_rate(start.config.schedule, start.config.optimizer.lr, step, trainer.total_steps());
  if (is > 2 * was)
    hooks.note(
        fmt::format("the schedule ends later than before, so the learning rate rises from {:.2g} to {:.2g}: "
                    "the loss gets worse before it gets better. To go on gently: --schedule constant --lr {:.2g}",
                    was, is, was));
}

/// The best network's loss on the whole validation part, if the evaluations during training read less of it.
std::optional<double> full_loss(const TrainingSetup& setup, const TrainStart& start, const TrainHooks& hooks) {
  const Split val = setup.corpus.val();
  if (evaluated_chars(start.config.train, val) >= val.size() || !fs::exists(start.run.best())) return std::nullopt;
  setup.network->change_weights().assign(load_checkpoint(start.run.best()).best_weights());
  const auto result =
      evaluate(*setup.network, setup.corpus, val, {.stop = [&] { return hooks.stop && hooks.stop() != 0; }});
  return result ? std::optional(result->loss()) : std::nullopt;
}

/// Text to show at an evaluation, as config.sample says.
std::string sample_text(const Trainer& trainer, const Config& config) {
  TextMaker maker({"", trainer.network_snapshot(), config}, StepWeights::fp32, /*threads=*/1, /*many=*/false);
  TextOptions options;
  options.config = config.sample;
  options.config.length = std::min<std::int64_t>(options.config.length, 200);
  TextJob job = maker.prepare(options).job;
  job.seed = static_cast<std::uint64_t>(config.train.seed + trainer.state().step);
  return maker.write(std::move(job));
}

std::string file_of(const RunFolder& run, CheckpointKind kind, std::int64_t step) {
  return kind == CheckpointKind::best ? run.best() : kind == CheckpointKind::kept ? run.kept(step) : run.last();
}

void save_in(const TrainStart& start, CheckpointKind kind, const Checkpoint& c) {
  if (!start.lock->in_place())
    throw Error(ExitCode::failure, fmt::format("run folder {} has been moved or removed", start.run.path()), "",
                "move it back, so that checkpoints can be saved");
  save_checkpoint(file_of(start.run, kind, c.train.step), c);
  if (kind == CheckpointKind::kept) start.run.remove_kept(c.train.step, start.config.train.keep);
}

/// Ends every sink. Returns the first failure.
std::optional<Error> end_sinks(const std::vector<Sink*>& sinks, const Trainer& trainer, const std::string& reason) {
  std::optional<Error> failure;
  for (Sink* sink : sinks) try {
      sink->end({reason, trainer.state().step, trainer.elapsed()});
    } catch (const Error& error) {
      if (!failure) failure = error;
    }
  return failure;
}

std::string reason_of(Outcome outcome, const TrainConfig& train, const Trainer& trainer) {
  if (outcome == Outcome::finished) return "finished";
  if (outcome == Outcome::stop_at) return "stopped as asked (--stop-at)";
  if (outcome == Outcome::early)
    return fmt::format("ended early, with no better validation in {} evaluations,", train.patience);
  const std::string by = trainer.stopped_by() > 0 ? " by " + signal_name(trainer.stopped_by()) : "";
  return fmt::format("stopped{}{}", by, trainer.saved() ? ", saved" : "");
}

/// What rank 0 writes and shows while training goes on.
struct RunSinks {
  RunSinks(const RunFolder& run, const TrainStart& start, const TrainHooks& hooks)
      : log(open_log(run, hooks), hooks.log_interval),
        display(hooks.display),
        metrics(run.metrics(), start.resumed ? start.checkpoint->train : TrainState{}, warn) {
    const std::int64_t first_step = start.resumed ? start.checkpoint->train.step : 0;
    all.push_back(&metrics);
    for (const MakeSink& make : hooks.sinks) all.push_back(more.emplace_back(make({run, first_step, warn})).get());
    all.push_back(&log);
    if (hooks.display != nullptr) all.push_back(hooks.display);
  }
  RunSinks(const RunSinks&) = delete;

  LineSink log;
  Sink* display;
  Warn warn = [this](const Warning& warning) {  // not through all sinks: a failing one may be the reason
    log.warn(warning);
    if (display != nullptr) display->warn(warning);
  };
  MetricsSink metrics;
  std::vector<std::unique_ptr<Sink>> more;
  std::vector<Sink*> all;
};

/// trainer.run(). If it fails, the sinks still write what they can, and a run without a checkpoint is removed.
Outcome run_to_end(Trainer& trainer, const RunSinks& sinks, const TrainStart& start, const TrainHooks& hooks) {
  try {
    return trainer.run();
  } catch (...) {
    if (const auto error = end_sinks(sinks.all, trainer, "failed")) hooks.message(error->what());
    if (!start.resumed && !fs::exists(start.run.last())) start.run.remove_run();
    throw;
  }
}

/// The same in a process that is not the first, which says by itself what stops all of them.
Outcome run_silently(Trainer& trainer) try { return trainer.run(); } catch (const LinkError&) {
  throw;
} catch (const Error& error) {
  if (error.code() != ExitCode::diverged && !trainer.save_failed()) throw;
  throw Relayed(error.code(), error.what(), "", "");
}

/// What there is to say before training begins.
void say_what_is_odd(const TrainStart& start, const Corpus& corpus, const TrainHooks& hooks) {
  const Config& config = start.config;
  if (!corpus.note().empty()) hooks.note(corpus.note());
  if (!start.resumed) warn_of_split(corpus, config.data.val_fraction, hooks);
  const std::int64_t val_chars = corpus.val().size(), evaluated = evaluated_chars(config.train, corpus.val());
  if (evaluated < val_chars && config.train.eval_max_chars < 0)
    hooks.note(
        fmt::format("evaluations read {} of the {} validation characters, to take at most a twentieth of the time "
                    "(--eval-max-chars 0: all); the best network is measured on all of them at the end",
                    evaluated, val_chars));
}
}  // namespace

TrainEnd run_training(TrainRequest request, const TrainHooks& hooks) {
  Group alone;
  Group& group = hooks.group != nullptr ? *hooks.group : alone;
  TrainStart start = start_together(group, request);
  const Config& config = start.config;
  const RunFolder& run = start.run;
  const Place place = place_among_cpus(group);
  std::optional<TrainingSetup> made;
  std::optional<RunSinks> sinks;  // of rank 0
  together(group, [&] {
    require_shards(config.train.shards, config.train.batch_size, group.size());
    made.emplace(config, open_corpus(start, request.extend_vocab), start.checkpoint ? &*start.checkpoint : nullptr,
                 /*with_moments=*/!start.resumed && !request.reset_optimizer, place);
    const Sampler valid(config.sample, made->corpus.vocabulary());  // throws now rather than at the first evaluation
  });
  start.config.train.precision = made->network->training_precision();
  require_same(group, "precision", name_of(config.train.precision, precision_names));
  const std::string config_json = to_json_text(config);
  const Fingerprint& text = made->corpus.fingerprint();
  require_same(group, "text", fmt::format("{} bytes, hash {:016x}", text.bytes, text.hash));
  require_same(group, "device", name_of(made->network->device(), device_kind_names));
  say_what_is_odd(start, made->corpus, hooks);
  together(group, [&] {
    if (!group.leads()) return;
    claim_folder(start, request.overwrite);
    if (!start.lock->held())
      hooks.message("this file system has no locks: nothing keeps a second training out of " + run.path());
    note_launcher(place, start);
    write_file(run.config(), config_json);
    sinks.emplace(run, start, hooks);
  });

  Trainer trainer({.train = config.train,
                   .optimizer = config.optimizer,
                   .schedule = config.schedule,
                   .network = *made->network,
                   .adam = *made->adam,
                   .batcher = *made->batcher,
                   .corpus = made->corpus,
                   .group = group,
                   .sinks = sinks ? sinks->all : std::vector<Sink*>(),
                   .save =
                       [&](CheckpointKind kind, const Checkpoint& c) {
                         together(group, [&] {
                           if (group.leads()) save_in(start, kind, c);
                         });
                       },
                   .load = [&](CheckpointKind kind) { return load_together(group, file_of(run, kind, 0)); },
                   .sample = [&](std::int64_t) { return sinks ? sample_text(trainer, config) : ""; },
                   .stop = hooks.stop,
                   .save_now = hooks.save_now,
                   .config_json = config_json,
                   .elapsed_before = sinks ? sinks->metrics.elapsed_before() : 0,
                   .stop_at = request.stop_at});
  if (start.resumed) trainer.restore(*start.checkpoint, {request.reset_optimizer, start.new_rate, start.new_time});
  if (start.resumed) say_how_it_goes_on(start, trainer, *made->batcher, hooks);
  if (sinks) {
    const RunInfo info = run_info(config, *made, trainer, group);
    for (Sink* sink : sinks->all) sink->begin(info);
  }
  const Outcome outcome = sinks ? run_to_end(trainer, *sinks, start, hooks) : run_silently(trainer);
  if (sinks)
    if (const auto error = end_sinks(sinks->all, trainer, reason_of(outcome, config.train, trainer))) throw *error;
  TrainEnd end{run, outcome, trainer.stopped_by(), trainer.state(), trainer.elapsed()};
  if (sinks && (outcome == Outcome::finished || outcome == Outcome::early))
    end.full_loss = full_loss(*made, start, hooks);
  return end;
}
}  // namespace charnn::cli
