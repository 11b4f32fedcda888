#pragma once
#include <optional>
#include "core/cli/train_run.h"

namespace charnn::cli {
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

/// The run folder that is meant, --out or the usual one. Throws Error (usage) for a wrong config.
RunFolder run_of(const TrainRequest& request);

/// A resumed run keeps its config except for the options that may change.
TrainStart resume_run(const TrainRequest& request);

/// A new run; with --init-from, the shape of the network and the vocabulary come from that checkpoint.
TrainStart begin_run(const TrainRequest& request);

/// Opens the text. A checkpoint's vocabulary must cover it, unless it may be extended; a resumed run needs the text it
/// began with.
Corpus open_corpus(const TrainStart& start, bool extend);

/// Locks the folder of a new run, creating it if necessary, and removes an old run if `overwrite`. Throws Error if
/// another process was faster.
void claim_folder(TrainStart& start, bool overwrite);
}  // namespace charnn::cli
