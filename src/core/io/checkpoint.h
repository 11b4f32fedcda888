#pragma once
#include <span>
#include <string>
#include <vector>
#include "core/data/vocabulary.h"
#include "core/io/safetensors.h"
#include "core/io/train_state.h"
#include "core/model/network_layout.h"
#include "core/model/state.h"
#include "core/model/torch_runtime.h"

namespace charnn {
/// One file with everything: weights, Adam's moments, recurrent state, random generators, config, vocabulary.
struct Checkpoint {
  std::string config;  ///< JSON
  Vocabulary vocabulary;
  TrainState train;
  NetworkLayout layout;
  std::vector<float> weights, exp_avg, exp_avg_sq;  ///< weights and Adam's moments, as the layout has them
  State state;
  GeneratorStates generators;
};

/// Every weight of a flat buffer as a tensor of its own, named `prefix` and the weight's name.
std::vector<Tensor> weight_tensors(const std::string& prefix, const NetworkLayout& layout, std::span<const float> flat);

/// Writes the file atomically; see base/files.h for the errors.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// Throws Error (usage) if the file is not a whole and valid checkpoint of charnn.
Checkpoint load_checkpoint(const std::string& path);
}  // namespace charnn
