#pragma once
#include <memory>
#include "core/cli/config.h"
#include "core/data/batcher.h"
#include "core/io/checkpoint.h"
#include "core/model/network.h"
#include "core/train/adam.h"

namespace charnn::cli {
/// What training works with, made from a config.
struct TrainingSetup {
  /// `weights`: to begin with, instead of new ones, and, if `with_moments`, Adam's moments too; may be null. They are
  /// made to fit the text's vocabulary, extend_vocabulary(). Throws Error (usage) for a config that cannot be trained,
  /// before the network is made. `config` must outlive this.
  TrainingSetup(const Config& config, Corpus text, const Checkpoint* weights, bool with_moments = false);
  TrainingSetup(const TrainingSetup&) = delete;
  TrainingSetup& operator=(const TrainingSetup&) = delete;

  Corpus corpus;
  Device device;
  std::unique_ptr<Network> network;
  std::unique_ptr<Adam> adam;
  std::unique_ptr<Batcher> batcher;
};
}  // namespace charnn::cli
