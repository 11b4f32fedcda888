#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <nlohmann/json.hpp>
#include "core/io/json_config.h"
#include "core/io/safetensors.h"
#include "core/train/trainer.h"
#include "tests/support.h"

namespace charnn::test {

inline std::string sentence() {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the cat sat on the mat. " + std::to_string(i * i % 7);
  return text;
}

/// A whole training set-up on a small text.
struct Rig {
  explicit Rig(Cell cell = Cell::lstm, double lr = 0.01, double dropout = 0.2, const std::string& text = sentence(),
               double average_decay = 0) {
    optimizer.lr = lr;
    optimizer.average_decay = average_decay;
    schedule = {.kind = ScheduleKind::constant, .warmup_steps = 0};
    train = {.batch_size = 4,
             .sequence_length = 20,
             .epochs = 0,
             .max_steps = 40,
             .eval_every = 7,
             .checkpoint_every = 5,
             .log_every = 3};
    corpus = std::make_unique<Corpus>(corpus_of(folder, text, 0.1));
    make({.cell = cell, .layers = 2, .hidden = 16, .embedding = 8, .dropout = dropout});
  }

  /// With the present configs.
  void make(ModelConfig model, Device device = Device::cpu) {
    seed_generators(1);
    config_json = config_to_json({describe(model)}).dump();
    network = std::make_unique<Network>(model, corpus->vocabulary().size(), device);
    adam = std::make_unique<Adam>(*network, optimizer);
    batcher = std::make_unique<Batcher>(*corpus, corpus->train(), train.batch_size, train.sequence_length,
                                        train.window_jitter, train.seed);
  }

  TrainerParts parts() {
    TrainerParts parts{train, optimizer, schedule, *network, *adam, *batcher, *corpus, group};
    parts.config_json = config_json;
    return parts;
  }

  TemporaryFolder folder;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  TrainConfig train;
  std::string config_json;
  Group group;
  std::unique_ptr<Corpus> corpus;
  std::unique_ptr<Network> network;
  std::unique_ptr<Adam> adam;
  std::unique_ptr<Batcher> batcher;
};

/// Collects what a run warns of.
struct WarningSink : Sink {
  std::vector<Warning> all;

  void warn(const Warning& warning) override { all.push_back(warning); }
  std::int64_t count(const std::string& name) const {
    return std::count_if(all.begin(), all.end(), [&](const Warning& w) { return w.name == name; });
  }
};

/// A disk in memory, which can be full.
struct Disk {
  std::map<CheckpointKind, Checkpoint> files;
  std::vector<std::pair<CheckpointKind, std::int64_t>> saves;  ///< the step of each checkpoint that was written
  const Trainer* trainer = nullptr;                            ///< whose checkpoints they are
  /// Whether there is no room for such a checkpoint, at that step of the training.
  std::function<bool(CheckpointKind, std::int64_t)> full = [](CheckpointKind, std::int64_t) { return false; };

  void save(CheckpointKind kind, const Checkpoint& checkpoint) {
    if (full(kind, trainer->state().step)) throw Error(ExitCode::failure, "No space left on device", "", "");
    files.insert_or_assign(kind, checkpoint);
    saves.emplace_back(kind, checkpoint.train.step);
  }
  CheckpointSaver::Write writer() {
    return [this](CheckpointKind kind, const Checkpoint& checkpoint) { save(kind, checkpoint); };
  }
  const TrainState& last() const { return files.at(CheckpointKind::last).train; }
};

/// Sets the embeddings to NaN.
inline void poison(Network& network) {
  const WeightInfo& encoder = network.layout().encoder();
  std::fill_n(network.change_weights().data() + encoder.offset, encoder.size, std::nanf(""));
}

/// The same bits: weights, moments, recurrent state and random generators.
inline void expect_same(const Checkpoint& a, const Checkpoint& b) {
  EXPECT_TRUE(bytes_of(a.weights) == bytes_of(b.weights));
  EXPECT_TRUE(bytes_of(a.average) == bytes_of(b.average));
  EXPECT_TRUE(bytes_of(a.exp_avg) == bytes_of(b.exp_avg));
  EXPECT_TRUE(bytes_of(a.exp_avg_sq) == bytes_of(b.exp_avg_sq));
  EXPECT_TRUE(bytes_of(a.state.h) == bytes_of(b.state.h));
  EXPECT_TRUE(bytes_of(a.state.c) == bytes_of(b.state.c));
  EXPECT_TRUE(a.generators == b.generators);
}

}  // namespace charnn::test
