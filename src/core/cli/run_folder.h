#pragma once
#include <string>
#include <vector>
#include "core/base/files.h"
#include "core/cli/config.h"
#include "core/data/corpus.h"
#include "core/io/checkpoint.h"

namespace charnn::cli {
/// The files of a run.
class RunFolder {
 public:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }
  std::string config() const { return path_ + "/config.json"; }
  std::string last() const { return path_ + "/last.safetensors"; }
  std::string best() const { return path_ + "/best.safetensors"; }
  std::string metrics() const { return path_ + "/metrics.jsonl"; }
  std::string picture() const { return path_ + "/loss.svg"; }
  std::string log() const { return path_ + "/train.log"; }

  std::string kept(std::int64_t step) const;  ///< of train.keep_every

  bool holds_run() const;    ///< at least one of the files exists
  void create() const;       ///< the folder itself, with its parents
  void remove_run() const;   ///< the files of a run, and nothing else
  void remove_rest() const;  ///< what a crash has left of files that were being written

  /// Keeps other trainings out while it lives. Throws as FileLock.
  FileLock lock() const { return {path_ + "/.lock", "run folder " + path_}; }

  std::vector<std::int64_t> kept_steps() const { return steps_with(""); }  ///< ascending
  /// Removes kept checkpoints up to `step`, but for the newest `count`; 0: none.
  void remove_kept(std::int64_t step, std::int64_t count) const;

 private:
  /// Of the files that are named as kept checkpoints, with `ending` after that.
  std::vector<std::int64_t> steps_with(const std::string& ending) const;
  std::vector<std::string> files() const {
    return {config(), last(), best(), metrics(), picture(), log(), path_ + "/text-index.safetensors" /* of charnn 0.1.0 */};
  }

  std::string path_;
};

/// The checkpoint file that RUN|CKPT on the command line means. Of a run folder: "best" (last, with a word on stderr,
/// where no validation has been made yet), "last", or the step of a kept one. Throws Error (usage) if there is none.
std::string checkpoint_path(const std::string& run_or_file, const std::string& which);

/// A trained network as the commands that read one use it.
struct LoadedModel {
  std::string path;
  Checkpoint checkpoint;
  Config config;
};

/// Which network a command reads, as it is told.
struct ModelChoice {
  std::string run_or_file;
  std::string which = "best";
};
/// Adds RUN|CKPT and --checkpoint to `command`.
void add_model_choice(CLI::App& command, ModelChoice& choice);

/// The text that a trained network was trained on, or other `files` if there are any.
Corpus open_text_of(const LoadedModel& model, const std::vector<std::string>& files);

/// Throws Error (usage) if there is no such checkpoint, or it is not a sound one.
LoadedModel load_model(const ModelChoice& choice);
}  // namespace charnn::cli
