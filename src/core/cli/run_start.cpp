#include "core/cli/run_start.h"
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
namespace {
namespace fs = std::filesystem;

/// runs/NAME, after the config, else after the first text.
std::string default_out(const TrainRequest& request, const Config& config) {
  const std::string& source =
      !request.input.file.empty() || config.data.files.empty() ? request.input.file : config.data.files[0];
  const std::string name = fs::path(source).stem().string();
  return "runs/" + (name.empty() ? "run" : name);
}

/// Refuses fields that `given` set to another value than `before` has; `reason` and `cure` end the message.
void require_unchanged(const Config& config, const Config& before, const KeySet& given,
                       bool (*concerned)(const std::string&, const Field&), const std::string& owner,
                       const std::string& cure) {
  const auto now_sections = describe_const(config);
  const auto before_sections = describe_const(before);
  for (std::size_t s = 0; s < now_sections.size(); ++s)
    for (std::size_t f = 0; f < now_sections[s].fields.size(); ++f) {
      const Field& now = now_sections[s].fields[f];
      const Field& was = before_sections[s].fields[f];
      const std::string key = now_sections[s].name + "." + now.name;
      if (concerned(key, now) && given.contains(key) && now.get() != was.get())
        fail_input(fmt::format("{} = {}", key, to_text(now.get())), fmt::format("{}, as {}", to_text(was.get()), owner),
                   cure);
    }
}

std::string schedule_text(const ScheduleConfig& schedule) { return config_to_json({describe_const(schedule)}).dump(); }

TrainStart resume(const TrainRequest& request) {
  if (request.out.empty()) fail_input("--resume without a run folder", "the run to go on with", "add --out DIR");
  const RunFolder run(request.out);
  if (!fs::exists(run.last()))
    fail_input(fmt::format("{} has no checkpoint to resume from", run.path()),
               "a folder in which charnn train has saved a run",
               "check the name, or leave --resume out to start a new run there");
  // Before anything is read: a training that still goes on here would change it.
  FileLock lock = run.lock();
  TrainStart start{run, {}, load_checkpoint(run.last()), true, false, std::move(lock)};
  // The checkpoint's own config says what the weights and the state were made with, whatever happened to config.json.
  const Config before = config_from_json(start.checkpoint->config, run.last() + " (its config)");
  KeySet given;
  if (fs::exists(run.config()))
    given = read_config(read_file(run.config(), "config"), run.config(), describe(start.config));
  else
    start.config = before;
  given.merge(request.input.apply(start.config));
  require_unchanged(
      start.config, before, given, [](const std::string&, const Field& field) { return field.fixed; },
      "this run began (it belongs to its weights, its state or its place in the text)",
      "leave it out, or start a new run with --init-from " + run.path());
  start.new_rate = start.config.optimizer.lr != before.optimizer.lr ||
                   schedule_text(start.config.schedule) != schedule_text(before.schedule);
  return start;
}

void require_free(const RunFolder& run, bool overwrite) {
  if (run.holds_run() && !overwrite)
    fail_input(fmt::format("{} already holds a run", run.path()), "a new folder",
               "go on with it (--resume), replace it (--overwrite), or choose another folder (--out DIR)");
}

TrainStart begin(const TrainRequest& request) {
  TrainStart start{RunFolder(""), {}, std::nullopt, false};
  const KeySet given = request.input.apply(start.config);
  if (!request.init_from.empty()) {
    const std::string path = checkpoint_path(request.init_from, "best");
    start.checkpoint = load_checkpoint(path);
    const Config trained = config_from_json(start.checkpoint->config, path + " (its config)");
    const auto shape = [](const std::string& key, const Field& field) {
      return key == "data.tokens" || (key.rfind("model.", 0) == 0 && field.fixed);
    };
    require_unchanged(start.config, trained, given, shape, "the network in " + path + " has it",
                      "leave it out: with --init-from it comes from the checkpoint");
    const double dropout = given.contains("model.dropout") ? start.config.model.dropout : trained.model.dropout;
    start.config.model = trained.model;
    start.config.model.dropout = dropout;
    start.config.data.tokens = trained.data.tokens;
    if (!given.contains("data.document_separator"))
      start.config.data.document_separator = trained.data.document_separator;
  }
  start.run = RunFolder(request.out.empty() ? default_out(request, start.config) : request.out);
  require_free(start.run, request.overwrite);
  return start;
}

/// All symbols of both.
Vocabulary joined(const Vocabulary& a, const Vocabulary& b) {
  std::vector<char32_t> symbols;
  std::set_union(a.symbols().begin(), a.symbols().end(), b.symbols().begin(), b.symbols().end(),
                 std::back_inserter(symbols));
  return {a.tokens(), std::move(symbols)};
}
}  // namespace

TrainStart prepare_start(const TrainRequest& request) {
  if (request.reset_optimizer && !request.resume && request.init_from.empty())
    fail_input("--reset-optimizer for a new run", "--resume or --init-from, which bring Adam's moments",
               "leave it out: a new run has none");
  return request.resume ? resume(request) : begin(request);
}

Corpus open_corpus(const TrainStart& start, bool extend) {
  const DataConfig& data = start.config.data;
  std::optional<Vocabulary> known;  // may have more symbols than the text, after --init-from
  if (start.checkpoint) known = start.checkpoint->vocabulary;
  if (!start.resumed && !extend) return Corpus(data, known);
  DataConfig undivided = data;
  undivided.document_separator.clear();  // its symbols need not be in the text
  Corpus corpus(undivided);
  const Vocabulary all = joined(*known, corpus.vocabulary());
  const Fingerprint &before = start.checkpoint->train.corpus, &now = corpus.fingerprint();
  if (start.resumed && now == before && !(all == *known))
    fail_input(fmt::format("{}: its vocabulary is not that of the text", start.run.last()),
               "at least the characters that occur in the text", "the checkpoint is damaged; use another");
  if (start.resumed && now != before)
    fail_input(
        fmt::format("the corpus has changed since this run began: {} bytes, hash {:016x}", now.bytes, now.hash),
        fmt::format("{} bytes, hash {:016x}", before.bytes, before.hash),
        "restore the text, or start a new run from these weights: charnn train --init-from CKPT --data FILE --out NEW");
  corpus.use(all, data.document_separator);
  return corpus;
}

void claim_folder(TrainStart& start, bool overwrite) {
  if (!start.resumed) {
    start.run.create();
    start.lock = start.run.lock();
    require_free(start.run, overwrite);
    start.run.remove_run();
  }
  if (!start.lock->held())
    say("charnn: this file system has no locks: nothing keeps a second training out of {}", start.run.path());
  start.run.remove_rest();
}
}  // namespace charnn::cli
