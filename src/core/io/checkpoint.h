#pragma once
#include <span>
#include <string>
#include <vector>
#include <nlohmann/json_fwd.hpp>
#include "core/data/vocabulary.h"
#include "core/io/safetensors.h"
#include "core/io/train_state.h"
#include "core/model/network_layout.h"
#include "core/model/state.h"
#include "core/model/torch_runtime.h"

namespace charnn {
/// Everything a run needs, in one file: weights, Adam's moments, recurrent state, random generators, config,
/// vocabulary.
struct Checkpoint {
  std::string config;  ///< JSON
  Vocabulary vocabulary;
  TrainState train;
  NetworkLayout layout;
  std::vector<float> weights, exp_avg, exp_avg_sq;  ///< weights and Adam's moments, in the layout's order. A file of
                                                    ///< weights alone has no moments: saved if empty, read as zeros
  State state;
  GeneratorStates generators;
  std::vector<float> average = {};         ///< of the weights (optimizer.average_decay); may be empty
  std::vector<std::int64_t> opening = {};  ///< see Corpus::opening()

  /// The weights to use the network with: the average, if there is one.
  const std::vector<float>& best_weights() const noexcept { return average.empty() ? weights : average; }
};

/// Writes the file atomically; see base/files.h for the errors.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// The file's bytes, and a checkpoint from them; `what` names them in messages.
std::string encode_checkpoint(const Checkpoint& checkpoint);
Checkpoint decode_checkpoint(std::string_view bytes, const std::string& what);

/// Throws Error (usage) if the file is not a complete and valid checkpoint of charnn.
Checkpoint load_checkpoint(const std::string& path);

/// Each weight of a flat buffer as its own tensor, named `prefix` and the weight's name.
std::vector<Tensor> weight_tensors(const std::string& prefix, const NetworkLayout& layout, std::span<const float> flat);

/// As stored in a checkpoint's metadata: the symbols as strings; no symbols for bytes, which are always all 256.
nlohmann::ordered_json vocabulary_to_json(const Vocabulary& vocabulary);
/// Throws nlohmann::json::exception if a value is missing or wrong, Error (usage) like Vocabulary's constructor.
Vocabulary vocabulary_from_json(const nlohmann::json& json);
}  // namespace charnn
