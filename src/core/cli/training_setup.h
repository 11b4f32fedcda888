#pragma once
#include <memory>
#include "core/cli/config.h"
#include "core/data/batcher.h"
#include "core/dist/place.h"
#include "core/io/checkpoint.h"
#include "core/model/network.h"
#include "core/train/adam.h"

namespace charnn::cli {
/// What training works with, made from a config.
struct TrainingSetup {
  /// Starts from `weights` unless null, and from their Adam moments if `with_moments`; extend_vocabulary() fits them to
  /// the text. Throws Error (usage) for a config that cannot be trained, before it builds the network. `config` must
  /// outlive this. The processes of a machine share its CPUs and GPUs.
  TrainingSetup(const Config& config, Corpus text, const Checkpoint* weights, bool with_moments = false,
                const Place& place = {});
  TrainingSetup(const TrainingSetup&) = delete;

  Corpus corpus;
  std::unique_ptr<Network> network;
  std::unique_ptr<Adam> adam;
  std::unique_ptr<Batcher> batcher;
};

/// train.threads, or the number that is fastest for this network.
int training_threads(const TrainConfig& train, const ModelConfig& model, std::int64_t vocabulary_size,
                     const Place& place = {});
}  // namespace charnn::cli
