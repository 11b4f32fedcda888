#include "core/cli/run_folder.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include "core/base/error.h"
#include "core/cli/runtime.h"

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
  if (!fs::exists(run.last()))
    fail_input(run_or_file + " has no checkpoint", "a run folder written by charnn train",
               "check the name, or train first: charnn train CONFIG.json --out " + run_or_file);
  if (which == "best") say("charnn: {} has not been validated yet; using its last checkpoint", run_or_file);
  return run.last();
}

LoadedModel load_model(const ModelChoice& choice) {
  const std::string path = checkpoint_path(choice.run_or_file, choice.which);
  LoadedModel loaded{path, load_checkpoint(path), {}};
  loaded.config = config_from_json(loaded.checkpoint.config, path + " (its config)");
  return loaded;
}

Corpus open_text_of(const LoadedModel& model, const std::vector<std::string>& files) {
  DataConfig data = model.config.data;
  if (!files.empty()) data.files = files;
  return Corpus(data, model.checkpoint.vocabulary);
}
}  // namespace charnn::cli
