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
  std::int64_t processes = 1;  ///< that train together
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
  Group* group = nullptr;                           ///< the processes that train together; null: this one alone
  Sink* display = nullptr;                          ///< shows training to the user; may be null
  std::vector<MakeSink> sinks = {};                 ///< more of them, besides metrics.jsonl and train.log
  std::chrono::seconds log_interval{5};             ///< between the lines of train.log
  std::function<void(const std::string&)> message;  ///< tells the user that something is wrong
  std::function<void(const std::string&)> note = [](const std::string&) {};  ///< and what is good to know
  std::function<int()> stop = {};                                            ///< see TrainerParts
  std::function<bool()> save_now = {};                                       ///< true: save after this step and go on
};

/// Where a training process ended.
struct TrainEnd {
  RunFolder run;
  Outcome outcome;
  int stopped_by;  ///< see Trainer
  TrainState state;
  double seconds;                        ///< of training, over all resumptions
  std::optional<double> full_loss = {};  ///< of the best network on all validation characters, if evaluations read less
};

/// Does the work of `charnn train`, from the request to a run folder with checkpoints; needs neither a command line nor
/// a terminal. Throws Error, before it writes anything if the request is at fault; see also Trainer::run().
TrainEnd run_training(TrainRequest request, const TrainHooks& hooks);
}  // namespace charnn::cli
