#pragma once
#include <optional>
#include <string>
#include "core/cli/config.h"
#include "core/cli/run_folder.h"
#include "core/data/corpus.h"
#include "core/io/checkpoint.h"

namespace charnn::cli {
/// What the user asked `charnn train` for.
struct TrainRequest {
  ConfigInput input;
  std::string out;
  std::string init_from;
  bool resume = false;
  bool overwrite = false;
  bool reset_optimizer = false;
  bool extend_vocab = false;  ///< with init_from
  std::int64_t stop_at = 0;
};

/// What a training process begins with, all options merged and checked; nothing has been written yet but, in the folder
/// of a resumed run, the lock.
struct TrainStart {
  RunFolder run;
  Config config;
  std::optional<Checkpoint> checkpoint;  ///< to resume, or to take the weights from
  bool resumed = false;
  bool new_rate = false;  ///< resumed with another lr or schedule than the checkpoint was made with
  std::optional<FileLock> lock = {};
};

/// Merges defaults, config file and flags for a new run; for a resumed one, its own config with the changes that are
/// allowed; with --init-from, the network's shape and vocabulary come from that checkpoint. Throws Error (usage).
TrainStart prepare_start(const TrainRequest& request);

/// The text of a run; with --init-from it must be covered by the checkpoint's vocabulary, unless `extend` allows more
/// symbols. Throws Error (usage), for a resumed run if it is not the text with which the run began.
Corpus open_corpus(const TrainStart& start, bool extend);

/// Makes the folder ready for this process alone: for a new run it is made, locked, and what `overwrite` allows to be
/// replaced is removed. Throws Error if another process was faster.
void claim_folder(TrainStart& start, bool overwrite);
}  // namespace charnn::cli
