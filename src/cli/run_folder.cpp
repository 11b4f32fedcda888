#include "charnn/cli/run_folder.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "charnn/base/error.h"
#include "charnn/cli/runtime.h"
#include "charnn/train/tensorboard_sink.h"

namespace charnn::cli {

namespace fs = std::filesystem;

bool RunFolder::holds_run() const {
  const auto all = files();
  return std::any_of(all.begin(), all.end(), [](const std::string& file) { return fs::exists(file); });
}

void RunFolder::create() const {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error || !fs::is_directory(path_))
    fail_input(fmt::format("run folder {}: {}", path_,
                           error ? error.message() : "a file of that name is in the way"),
               "a folder that can be made and written to", "choose another with --out DIR");
}

void RunFolder::remove_run() const {
  for (const std::string& file : files()) fs::remove(file);
  for (const std::string& file : event_files(path_)) fs::remove(file);
}

std::string checkpoint_path(const std::string& run_or_file, const std::string& which) {
  if (!fs::is_directory(run_or_file)) return run_or_file;  // a missing file is named by the reader
  const RunFolder run(run_or_file);
  if (which == "best" && fs::exists(run.best())) return run.best();
  if (!fs::exists(run.last()))
    fail_input(fmt::format("{} has no checkpoint", run_or_file), "a run folder made by charnn train",
               "check the name, or train first: charnn train CONFIG.json --out " + run_or_file);
  if (which == "best")
    say("charnn: no validation has been made yet in {}; using its last checkpoint", run_or_file);
  return run.last();
}

LoadedModel load_model(const std::string& run_or_file, const std::string& which) {
  const std::string path = checkpoint_path(run_or_file, which);
  LoadedModel loaded{path, load_checkpoint(path), {}, {}};
  loaded.config = config_from_json(loaded.checkpoint.config, loaded.path + " (its config)");
  require_weights(loaded.checkpoint.model, loaded.config.model, loaded.checkpoint.vocabulary.size(),
                  "checkpoint " + path);
  loaded.network = std::make_shared<CharRnn>(loaded.config.model, loaded.checkpoint.vocabulary.size());
  loaded.network->load(loaded.checkpoint.model);
  loaded.network->eval();
  return loaded;
}

}  // namespace charnn::cli
