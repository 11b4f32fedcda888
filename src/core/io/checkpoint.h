#pragma once

#include <string>

#include "core/data/vocabulary.h"
#include "core/io/safetensors.h"
#include "core/io/train_state.h"
#include "core/model/network.h"

namespace charnn {

/// One file with everything: weights, Adam's moments, recurrent state, random generators, config, vocabulary.
struct Checkpoint {
  std::string config;  ///< JSON
  Vocabulary vocabulary;
  TrainState train;
  NamedTensors model;
  NamedTensors exp_avg;     ///< Adam's first moments, named as the weights
  NamedTensors exp_avg_sq;  ///< second moments
  State state;
  NamedTensors rng;  ///< "torch_cpu" and, of a run on a GPU, "torch_cuda"
};

/// Writes the file atomically; see base/files.h for the errors.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// Throws Error (usage) if the file is not a whole and valid checkpoint of charnn.
Checkpoint load_checkpoint(const std::string& path);

/// State of LibTorch's default generators (initial weights, dropout), and back.
NamedTensors capture_rng(torch::Device device);
void restore_rng(const NamedTensors& rng, torch::Device device);

}  // namespace charnn
