#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "core/cli/run_folder.h"
#include "core/train/trainer.h"

namespace charnn::cli {
/// What the user asks `charnn train` for.
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

/// What a sink is made from.
struct SinkContext {
  const RunFolder& run;
  std::int64_t first_step;  ///< above 0 for a resumed run
  Warn warn;
};
using MakeSink = std::function<std::unique_ptr<Sink>(const SinkContext&)>;

/// How the caller follows and stops a training.
struct TrainHooks {
  Sink* display = nullptr;                          ///< shows training to the user; may be null
  std::vector<MakeSink> sinks = {};                 ///< more of them, besides metrics.jsonl and train.log
  std::chrono::seconds log_interval{5};             ///< between the lines of train.log
  std::function<void(const std::string&)> message;  ///< shows the user a message
  std::function<bool()> stop = {};                  ///< true: save and return after this step
};

/// Where a training process ended.
struct TrainEnd {
  RunFolder run;
  Outcome outcome;
  TrainState state;
  double seconds;  ///< of training, over all resumptions
};

/// Does the work of `charnn train`, from the request to a run folder with checkpoints; needs neither a command line nor
/// a terminal. Throws Error, before it writes anything if the request is at fault; see also Trainer::run().
TrainEnd run_training(const TrainRequest& request, const TrainHooks& hooks);
}  // namespace charnn::cli
