#include "core/cli/train_run.h"
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <utility>
#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include "core/base/error.h"
#include "core/cli/runtime.h"
#include "core/cli/text_maker.h"
#include "core/cli/training_setup.h"
#include "core/train/console_sinks.h"
#include "core/train/metrics_sink.h"
#include "core/train/schedule.h"
#include "kernels/thread_pool.h"

namespace charnn::cli {
namespace {
namespace fs = std::filesystem;

/// The start of a training process, with all options merged and checked.
struct TrainStart {
  RunFolder run;
  Config config;
  std::optional<Checkpoint> checkpoint = {};  ///< to resume, or to take the weights from
  bool resumed = false;
  bool new_rate = false;  ///< resumed, but with another lr or schedule than before
  bool new_time = false;  ///< resumed, but with another max_minutes than before
  std::optional<FileLock> lock = {};
};

/// Refuses options in `given` that differ from `before` and that `matters` picks; `owner` and `hint` end the message.
void require_unchanged(Config& config, Config& before, const KeySet& given, bool (*matters)(const std::string& key),
                       const std::string& owner, const std::string& hint) {
  auto sections = describe(config), sections_before = describe(before);
  for (const std::string& key : given) {
    const Field &now = find_field(sections, key, key), &was = find_field(sections_before, key, key);
    if (now.fixed && matters(key) && now.get() != was.get())
      fail_input(key + " = " + to_text(now.get()), to_text(was.get()) + ", as " + owner, hint);
  }
}

/// A resumed run keeps its config except for the options that may change.
TrainStart resume(const TrainRequest& request) {
  if (request.out.empty()) fail_input("--resume without a run folder", "the run to resume", "add --out DIR");
  TrainStart start{RunFolder(request.out), {}};
  const RunFolder& run = start.run;
  if (!fs::exists(run.last()))
    fail_input(run.path() + " has no checkpoint to resume from", "a folder in which charnn train has saved a run",
               "check the name, or leave --resume out to start a new run there");
  start.resumed = true;
  start.lock = run.lock();  // before reading what another training there would change
  start.checkpoint = load_checkpoint(run.last());
  // config.json may have been edited since; the checkpoint has the config that its weights and state belong to.
  Config before = config_from_json(start.checkpoint->config, run.last() + " (its config)");
  KeySet given;
  if (fs::exists(run.config()))
    given = read_config(read_file(run.config(), "config"), run.config(), describe(start.config));
  else
    start.config = before;
  given.merge(request.input.apply(start.config));
  require_unchanged(
      start.config, before, given, [](const std::string&) { return true; },
      "this run began (its weights, its state or its place in the text depend on it)",
      "leave it out, or start a new run with --init-from " + run.path());
  if (start.config.optimizer.weight_decay > 0 && start.checkpoint->config.find("l2_penalty") == std::string::npos)
    fail_input(run.path() + ": optimizer.weight_decay of an older charnn, which meant the L2 penalty by it",
               "its present name, optimizer.l2_penalty", "rename it in " + run.config());
  const auto rate = [](const Config& c) {
    return config_to_json({describe_const(c.optimizer), describe_const(c.schedule)});
  };
  start.new_rate = rate(start.config) != rate(before);
  start.new_time = start.config.train.max_minutes != before.train.max_minutes;
  return start;
}

void require_free(const RunFolder& run, bool overwrite) {
  if (run.holds_run() && !overwrite)
    fail_input(run.path() + " already holds a run", "a new folder",
               "resume it (--resume), replace it (--overwrite), or choose another folder (--out DIR)");
}

/// A new run; with --init-from, the shape of the network and the vocabulary come from that checkpoint.
TrainStart begin(const TrainRequest& request) {
  if (request.reset_optimizer && request.init_from.empty())
    fail_input("--reset-optimizer for a new run", "--resume or --init-from, which restore Adam's moments",
               "leave it out: a new run has none");
  TrainStart start{RunFolder(request.out), {}};
  Config& config = start.config;
  const KeySet given = request.input.apply(config);
  if (config.train.max_minutes > 0 && !given.contains("train.epochs")) config.train.epochs = 0;  // a limit is enough
  if (!request.init_from.empty()) {
    LoadedModel trained = load_model({request.init_from});
    require_unchanged(
        config, trained.config, given,
        [](const std::string& key) { return key == "data.tokens" || key.starts_with("model."); },
        "in the network of " + trained.path, "leave it out: with --init-from it comes from the checkpoint");
    if (given.contains("model.dropout")) trained.config.model.dropout = config.model.dropout;
    config.model = trained.config.model;
    config.data.tokens = trained.config.data.tokens;
    if (!given.contains("data.document_separator"))
      config.data.document_separator = trained.config.data.document_separator;
    start.checkpoint = std::move(trained.checkpoint);
  }
  if (request.out.empty()) {  // named after the config, or else after the first text
    const std::string& file = request.input.file;
    const fs::path source = !file.empty() || config.data.files.empty() ? file : config.data.files[0];
    start.run = RunFolder("runs/" + (source.stem().empty() ? "run" : source.stem().string()));
  }
  require_free(start.run, request.overwrite);
  return start;
}

/// Opens the text. A checkpoint's vocabulary must cover it, unless it may be extended; a resumed run needs the text it
/// began with.
Corpus open_corpus(const TrainStart& start, bool extend) {
  const DataConfig& data = start.config.data;
  std::optional<Vocabulary> known;
  if (start.checkpoint) known = start.checkpoint->vocabulary;
  if (!start.resumed && !extend) return Corpus(data, known);
  DataConfig undivided = data;
  undivided.document_separator.clear();  // the text need not contain its symbols
  Corpus corpus(undivided);
  const Fingerprint &before = start.checkpoint->train.corpus, &now = corpus.fingerprint();
  if (start.resumed && now != before)
    fail_input(
        fmt::format("the corpus has changed since this run began: {} bytes, hash {:016x}", now.bytes, now.hash),
        fmt::format("{} bytes, hash {:016x}", before.bytes, before.hash),
        "restore the text, or start a new run from these weights: charnn train --init-from CKPT --data FILE --out NEW");
  std::vector<char32_t> symbols;
  std::ranges::set_union(known->symbols(), corpus.vocabulary().symbols(), std::back_inserter(symbols));
  if (start.resumed && symbols != known->symbols())
    fail_input(start.run.last() + ": its vocabulary is not that of the text", "all characters that occur in the text",
               "the checkpoint is damaged; use another");
  corpus.use({known->tokens(), std::move(symbols)}, data.document_separator);
  return corpus;
}

/// Locks the folder of a new run, creating it if necessary, and removes an old run if `overwrite`. Throws Error if
/// another process was faster.
void claim_folder(TrainStart& start, bool overwrite) {
  if (!start.resumed) {
    start.run.create();
    start.lock = start.run.lock();
    require_free(start.run, overwrite);
    start.run.remove_run();
  }
  start.run.remove_rest();
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

RunInfo run_info(const Config& config, const TrainingSetup& setup, const Trainer& trainer) {
  const Corpus& corpus = setup.corpus;
  const Network& network = *setup.network;
  const int threads = network.pool().size();
  RunInfo info{.config = to_json_text(config),
               .parameters = network.layout().size(),
               .vocabulary = corpus.vocabulary().size(),
               .train_chars = corpus.train().size(),
               .val_chars = corpus.val().size(),
               .first_step = trainer.state().step,
               .last_step = trainer.last_step()};
  info.title =
      fmt::format("{} {} x {}, {} parameters; {} training and {} validation characters, vocabulary {}; {}, {} thread{}",
                  name_of(config.model.cell, cell_names), config.model.layers, config.model.hidden, info.parameters,
                  info.train_chars, info.val_chars, info.vocabulary, network.device() == Device::cuda ? "cuda" : "cpu",
                  threads, threads == 1 ? "" : "s");
  return info;
}

/// Text to show at an evaluation, as config.sample says.
std::string sample_text(const Trainer& trainer, const Config& config) {
  TextMaker maker({"", trainer.snapshot(), config}, StepWeights::fp32, /*threads=*/1, /*many=*/false);
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

std::string reason_of(Outcome outcome, const TrainConfig& train, bool saved) {
  if (outcome == Outcome::finished) return "finished";
  if (outcome == Outcome::stop_at) return "stopped as asked (--stop-at)";
  if (outcome == Outcome::early)
    return fmt::format("ended early, with no better validation in {} evaluations,", train.patience);
  const int signal = StopSignals::received();
  const char* by = signal == SIGINT ? " by SIGINT" : signal == SIGTERM ? " by SIGTERM" : "";
  return fmt::format("stopped{}{}", by, saved ? ", saved" : "");
}

/// trainer.run(). If it fails, the sinks still write what they can, and a run without a checkpoint is removed.
Outcome run_to_end(Trainer& trainer, const std::vector<Sink*>& sinks, const TrainStart& start,
                   const TrainHooks& hooks) {
  try {
    return trainer.run();
  } catch (...) {
    if (const auto error = end_sinks(sinks, trainer, "failed")) hooks.message(error->what());
    if (!start.resumed && !fs::exists(start.run.last())) start.run.remove_run();
    throw;
  }
}
}  // namespace

TrainEnd run_training(const TrainRequest& request, const TrainHooks& hooks) {
  TrainStart start = request.resume ? resume(request) : begin(request);
  const Config& config = start.config;
  const RunFolder& run = start.run;
  const TrainingSetup setup(config, open_corpus(start, request.extend_vocab),
                            start.checkpoint ? &*start.checkpoint : nullptr,
                            /*with_moments=*/!start.resumed && !request.reset_optimizer);
  const Sampler valid(config.sample, setup.corpus.vocabulary());  // throws now rather than at the first evaluation

  claim_folder(start, request.overwrite);
  if (!start.lock->held())
    hooks.message("this file system has no locks: nothing keeps a second training out of " + run.path());
  const std::string config_json = to_json_text(config);
  write_file(run.config(), config_json);
  LineSink log(open_log(run, hooks), hooks.log_interval);
  const auto warn = [&](const Warning& warning) {  // not through all sinks: a failing one may be the reason
    log.warn(warning);
    if (hooks.display != nullptr) hooks.display->warn(warning);
  };
  const TrainState before = start.resumed ? start.checkpoint->train : TrainState{};
  MetricsSink metrics(run.metrics(), before, warn);
  std::vector<Sink*> sinks{&metrics};
  std::vector<std::unique_ptr<Sink>> more_sinks;
  for (const MakeSink& make : hooks.sinks)
    sinks.push_back(more_sinks.emplace_back(make({run, before.step, warn})).get());
  sinks.push_back(&log);
  if (hooks.display != nullptr) sinks.push_back(hooks.display);

  Trainer trainer({.train = config.train,
                   .optimizer = config.optimizer,
                   .schedule = config.schedule,
                   .network = *setup.network,
                   .adam = *setup.adam,
                   .batcher = *setup.batcher,
                   .corpus = setup.corpus,
                   .sinks = sinks,
                   .save = [&](CheckpointKind kind, const Checkpoint& c) { save_in(start, kind, c); },
                   .load = [&](CheckpointKind kind) { return load_checkpoint(file_of(run, kind, 0)); },
                   .sample = [&](std::int64_t) { return sample_text(trainer, config); },
                   .stop = hooks.stop,
                   .config_json = config_json,
                   .elapsed_before = metrics.elapsed_before(),
                   .stop_at = request.stop_at});
  if (start.resumed) trainer.restore(*start.checkpoint, {request.reset_optimizer, start.new_rate, start.new_time});
  const RunInfo info = run_info(config, setup, trainer);
  for (Sink* sink : sinks) sink->begin(info);
  const Outcome outcome = run_to_end(trainer, sinks, start, hooks);
  if (const auto error = end_sinks(sinks, trainer, reason_of(outcome, config.train, trainer.saved()))) throw *error;
  return {run, outcome, trainer.state(), trainer.elapsed()};
}
}  // namespace charnn::cli
