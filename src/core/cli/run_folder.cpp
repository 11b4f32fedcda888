#include "core/cli/run_folder.h"
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include "core/base/error.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
namespace fs = std::filesystem;

namespace {
/// The number that is all of `text`.
std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}
}  // namespace

bool RunFolder::holds_run() const {
  const auto all = files();
  return std::any_of(all.begin(), all.end(), [](const std::string& file) { return fs::exists(file); });
}

void RunFolder::create() const { make_folder(path_, "run folder", "--out"); }

void RunFolder::remove_run() const {
  for (const std::string& file : files()) fs::remove(file);
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(path_, none))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) fs::remove(entry.path());
  for (const std::int64_t step : kept_steps()) fs::remove(kept(step));
}

void RunFolder::remove_rest() const {
  std::error_code none;  // it is only untidy
  for (const std::string& file : files()) fs::remove(file + ".tmp", none);
  for (const std::int64_t step : steps_with(".tmp")) fs::remove(kept(step) + ".tmp", none);
}

std::string RunFolder::kept(std::int64_t step) const { return fmt::format("{}/step-{}.safetensors", path_, step); }

std::vector<std::int64_t> RunFolder::steps_with(const std::string& ending) const {
  std::vector<std::int64_t> steps;
  std::error_code none;  // a folder that is not there has none
  for (fs::directory_iterator entry(path_, none), end; !none && entry != end; entry.increment(none)) {
    const std::string name = entry->path().filename().string();
    if (name.rfind("step-", 0) != 0 || !entry->is_regular_file(none)) continue;
    const auto step = number_of(std::string_view(name).substr(5, name.find('.') - 5));
    if (step && fs::path(kept(*step) + ending).filename() == name) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

void RunFolder::remove_kept(std::int64_t step, std::int64_t count) const {
  if (count == 0) return;
  std::vector<std::int64_t> steps = kept_steps();
  std::erase_if(steps, [&](std::int64_t s) { return s > step; });
  std::error_code none;  // one too many does no harm
  for (; static_cast<std::int64_t>(steps.size()) > count; steps.erase(steps.begin())) fs::remove(kept(steps[0]), none);
}

std::string checkpoint_path(const std::string& run_or_file, const std::string& which) {
  if (!fs::is_directory(run_or_file)) return run_or_file;  // a missing file is named by the reader
  const RunFolder run(run_or_file);
  if (which == "best" && fs::exists(run.best())) return run.best();
  if (which != "best" && which != "last") {
    const auto step = number_of(which);
    if (step && fs::exists(run.kept(*step))) return run.kept(*step);
    const auto steps = run.kept_steps();
    fail_input(fmt::format("{} has no checkpoint \"{}\"", run_or_file, which),
               steps.empty() ? "best or last; no others were kept (--keep-every)"
                             : fmt::format("best, last, or one of the steps {}", fmt::join(steps, ", ")),
               "choose one of them with --checkpoint");
  }
  if (!fs::exists(run.last()))
    fail_input(fmt::format("{} has no checkpoint", run_or_file), "a run folder made by charnn train",
               "check the name, or train first: charnn train CONFIG.json --out " + run_or_file);
  if (which == "best") say("charnn: no validation has been made yet in {}; using its last checkpoint", run_or_file);
  return run.last();
}

void add_model_choice(CLI::App& command, ModelChoice& choice) {
  command.add_option("model", choice.run_or_file, "run folder or checkpoint file")->required()->type_name("RUN|CKPT");
  command
      .add_option("--checkpoint", choice.which,
                  "of a run folder: best, last, or the step of one that was kept (--keep-every)")
      ->type_name("best|last|N")
      ->capture_default_str();
}

LoadedModel load_model(const ModelChoice& choice) {
  const std::string path = checkpoint_path(choice.run_or_file, choice.which);
  LoadedModel loaded{path, load_checkpoint(path), {}};
  loaded.config = config_from_json(loaded.checkpoint.config, loaded.path + " (its config)");
  return loaded;
}

Corpus open_text_of(const LoadedModel& model, const std::vector<std::string>& files) {
  DataConfig data = model.config.data;
  if (!files.empty()) data.files = files;
  return Corpus(data, model.checkpoint.vocabulary);
}
}  // namespace charnn::cli
