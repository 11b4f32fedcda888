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

  std::string kept(std::int64_t step) const;  ///< checkpoint of train.keep_every

  void create() const { make_folder(path_, "run folder", "--out"); }
  /// Keeps other trainings out of the folder while alive. Errors: see FileLock.
  std::string lock_file() const { return path_ + "/.lock"; }
  FileLock lock() const { return {lock_file(), "run folder " + path_}; }
  bool holds_run() const { return !files("").empty(); }
  void remove_run() const;                       ///< removes the files of a run, and nothing else
  void remove_rest() const;                      ///< removes partly written files left behind by a crash
  std::vector<std::int64_t> kept_steps() const;  ///< of the kept checkpoints, ascending
  /// Removes kept checkpoints up to `step` except the newest `count`; with a count of 0 it removes none.
  void remove_kept(std::int64_t step, std::int64_t count) const;

 private:
  /// Names of the files in the folder that are named like a file of a run plus `suffix`.
  std::vector<std::string> files(std::string_view suffix) const;

  std::string path_;
};

/// Throws Error (usage) that lists them if a folder holds runs.
void refuse_folder_of_runs(const std::string& folder);

/// The checkpoint file that RUN|CKPT on the command line refers to. In a run folder, `which` is "best" (falls back to
/// last, with a message on stderr, before the first validation), "last", or the step of a kept checkpoint. Throws Error
/// (usage) if there is none.
std::string checkpoint_path(const std::string& run_or_file, const std::string& which);

/// RUN|CKPT and --checkpoint, as given by the user.
struct ModelChoice {
  std::string run_or_file;
  std::string which = "best";
};

/// A trained network as read from its checkpoint.
struct LoadedModel {
  std::string path;
  Checkpoint checkpoint;
  Config config;
};

/// Throws Error (usage) if there is no such checkpoint or it is invalid.
LoadedModel load_model(const ModelChoice& choice);

/// What the network reads before a text that begins by itself: see beginning().
std::vector<std::int64_t> beginning_of(const LoadedModel& model);

/// Throws Error (usage), naming `flag`, if one of the files of a run's own text does not exist. What stands for several
/// files says itself what is missing.
void require_text_here(const std::string& run, const std::vector<std::string>& files, const char* flag = "--data");

/// Opens the text that the network was trained on, or `files` instead if there are any; says on stderr what was left
/// out of them.
Corpus open_text_of(const LoadedModel& model, const std::vector<std::string>& files,
                    OnUnknown unknown = OnUnknown::error, const char* flag = "--data");
}  // namespace charnn::cli
