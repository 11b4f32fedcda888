#include "core/cli/train_start.h"
#include <algorithm>
#include <bit>
#include <filesystem>
#include <iterator>
#include <utility>
#include <fmt/format.h>
#include "core/base/error.h"

namespace charnn::cli {
namespace {
namespace fs = std::filesystem;

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

/// Named after the config, or else after the first text.
RunFolder usual_folder(const TrainRequest& request, const Config& config) {
  const std::string& file = request.input.file;
  return RunFolder("runs/" + run_name(file.empty() ? config.data.files : std::vector{file}));
}
}  // namespace

RunFolder run_of(const TrainRequest& request) {
  if (!request.out.empty()) return RunFolder(request.out);
  Config config;
  request.input.apply(config);
  if (request.resume && config.data.files.empty())
    fail_input("--resume without a run folder", "the run to resume", "charnn train --resume DIR");
  return usual_folder(request, config);
}

TrainStart resume_run(const TrainRequest& request) {
  TrainStart start{run_of(request), {}};
  const RunFolder& run = start.run;
  if (!fs::exists(run.last())) refuse_folder_of_runs(run.path());
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
  if (start.config.train.precision == Precision::automatic) start.config.train.precision = before.train.precision;
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
  if (given.contains("data.files")) require_text_here(run.path(), start.config.data.files);
  start.new_rate = rate(start.config) != rate(before);
  start.new_time = start.config.train.max_minutes != before.train.max_minutes;
  return start;
}

namespace {
void require_free(const RunFolder& run, bool overwrite) {
  if (run.holds_run() && !overwrite)
    fail_input(run.path() + " already holds a run", "a new folder",
               "resume it (--resume), replace it (--overwrite), or choose another folder (--out DIR)");
}
}  // namespace

TrainStart begin_run(const TrainRequest& request) {
  if (request.reset_optimizer && request.init_from.empty())
    fail_input("--reset-optimizer for a new run", "--resume or --init-from, which restore Adam's moments",
               "leave it out: a new run has none");
  TrainStart start{RunFolder(request.out), {}};
  Config& config = start.config;
  KeySet given = request.input.apply(config);
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
    given.insert("model.decoder_input");
  }
  complete_new_run(config, given);
  if (!given.contains("train.shards"))
    config.train.shards = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(request.processes)));
  if (request.out.empty()) start.run = usual_folder(request, config);
  require_free(start.run, request.overwrite);
  return start;
}

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

void claim_folder(TrainStart& start, bool overwrite) {
  if (!start.resumed) {
    start.run.create();
    start.lock = start.run.lock();
    require_free(start.run, overwrite);
    start.run.remove_run();
  }
  start.run.remove_rest();
}
}  // namespace charnn::cli
