#include "core/cli/run_folder.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include "core/base/error.h"
#include "core/cli/runtime.h"
#include "core/sample/generator.h"

namespace charnn::cli {
namespace fs = std::filesystem;

namespace {
std::string kept_name(std::int64_t step) { return fmt::format("step-{}.safetensors", step); }

std::optional<std::int64_t> kept_step(std::string_view name) {
  constexpr std::string_view prefix = "step-";
  std::int64_t step = -1;
  if (name.starts_with(prefix)) std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
  return step >= 0 && name == kept_name(step) ? std::optional(step) : std::nullopt;
}

bool is_run_file(std::string_view name) {
  constexpr std::array<std::string_view, 7> names{"config.json",           "last.safetensors", "best.safetensors",
                                                  "metrics.jsonl",         "loss.svg",         "train.log",
                                                  "text-index.safetensors"};  // the last one: of charnn 0.1.0
  return std::find(names.begin(), names.end(), name) != names.end() || name.starts_with("events.out.tfevents.") ||
         kept_step(name);
}
}  // namespace

std::vector<std::string> RunFolder::files(std::string_view suffix) const {
  std::vector<std::string> names;
  std::error_code ignored;  // a missing folder has none
  for (fs::directory_iterator entry(path_, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (name.ends_with(suffix) && is_run_file(std::string_view(name).substr(0, name.size() - suffix.size())))
      names.push_back(name);
  }
  return names;
}

void RunFolder::remove_run() const {
  for (const std::string& name : files("")) fs::remove(path_ + "/" + name);
}

void RunFolder::remove_rest() const {
  std::error_code ignored;  // they do no harm
  for (const std::string& name : files(".tmp")) fs::remove(path_ + "/" + name, ignored);
}

std::string RunFolder::kept(std::int64_t step) const { return path_ + "/" + kept_name(step); }

std::vector<std::int64_t> RunFolder::kept_steps() const {
  std::vector<std::int64_t> steps;
  for (const std::string& name : files(""))
    if (const auto step = kept_step(name)) steps.push_back(*step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

void RunFolder::remove_kept(std::int64_t step, std::int64_t count) const {
  if (count == 0) return;
  std::vector<std::int64_t> steps = kept_steps();
  std::erase_if(steps, [&](std::int64_t s) { return s > step; });
  std::error_code ignored;  // one too many does no harm
  for (; std::ssize(steps) > count; steps.erase(steps.begin())) fs::remove(kept(steps[0]), ignored);
}

void refuse_folder_of_runs(const std::string& folder) {
  std::vector<std::string> runs;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none))
    if (fs::exists(entry.path() / "last.safetensors", none)) runs.push_back(entry.path().string());
  std::sort(runs.begin(), runs.end());
  if (!runs.empty())
    fail_input(fmt::format("{} is a folder of runs", folder), "a run", fmt::format("it has {}", fmt::join(runs, ", ")));
}

std::string checkpoint_path(const std::string& run_or_file, const std::string& which) {
  if (!fs::is_directory(run_or_file)) return run_or_file;  // load_checkpoint() reports a missing file
  const RunFolder run(run_or_file);
  if (which == "best" && fs::exists(run.best())) return run.best();
  if (which != "best" && which != "last") {
    const std::string kept = run_or_file + "/step-" + which + ".safetensors";
    if (fs::exists(kept)) return kept;
    const auto steps = run.kept_steps();
    fail_input(fmt::format("{} has no checkpoint \"{}\"", run_or_file, which),
               steps.empty() ? "best or last; no others were kept (--keep-every)"
                             : fmt::format("best, last, or one of the steps {}", fmt::join(steps, ", ")),
               "choose one of them with --checkpoint");
  }
  if (!fs::exists(run.last())) {
    refuse_folder_of_runs(run_or_file);
    fail_input(run_or_file + " has no checkpoint", "a run folder written by charnn train",
               "check the name, or train first: charnn train CONFIG.json --out " + run_or_file);
  }
  if (which == "best") say("charnn: {} has not been validated yet; using its last checkpoint", run_or_file);
  return run.last();
}

LoadedModel load_model(const ModelChoice& choice) {
  const std::string path = checkpoint_path(choice.run_or_file, choice.which);
  LoadedModel loaded{path, load_checkpoint(path), {}};
  loaded.config = config_from_json(loaded.checkpoint.config, path + " (its config)");
  return loaded;
}

std::vector<std::int64_t> beginning_of(const LoadedModel& model) {
  return beginning(model.checkpoint.vocabulary, model.config.data.document_separator, model.checkpoint.opening);
}

void require_text_here(const std::string& run, const std::vector<std::string>& files, const char* flag) {
  for (const std::string& file : files) {
    if (file == "-" && ::isatty(STDIN_FILENO) == 1)
      fail_input(run + ": its text came from stdin, which is a terminal now", "the text that the run began with",
                 fmt::format("pipe it into the program again, or name a file: {} PATH", flag));
    if (file == "-" || file.find_first_of("*?[@") != std::string::npos || fs::exists(file)) continue;
    fail_input(fmt::format("{}: its text {} is not here", run, file),
               "the text that the run began with; its path is relative to the folder in which training began",
               fmt::format("start from that folder, or say where it is: {} PATH", flag));
  }
}

Corpus open_text_of(const LoadedModel& model, const std::vector<std::string>& files, OnUnknown unknown,
                    const char* flag) {
  DataConfig data = model.config.data;
  if (files.empty()) {
    require_text_here(model.path, data.files, flag);
    return Corpus(data, model.checkpoint.vocabulary);
  }
  data.files = files;
  data.order = Order::as_is;
  Corpus corpus(data, model.checkpoint.vocabulary, unknown);
  if (!corpus.note().empty()) say("charnn: {}", corpus.note());
  return corpus;
}
}  // namespace charnn::cli
