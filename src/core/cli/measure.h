#pragma once
#include <memory>
#include <string>
#include <vector>
#include "core/cli/run_folder.h"
#include "core/cli/text_maker.h"
#include "core/sample/stops.h"
#include "core/train/dynamic.h"

namespace charnn::cli {
/// How the commands that measure a text evaluate it.
struct EvalChoice {
  EvalOptions options;
  Precision precision = Precision::automatic;  ///< bf16 if trained so, this device can, and not dynamic; else fp32
  std::int64_t threads = 0;                    ///< 0: one per core
  bool quiet = false;                          ///< no progress on the terminal
  std::vector<std::string> with;               ///< more networks, RUN|CKPT: their probabilities are averaged
  OnUnknown unknown = OnUnknown::error;
  bool dynamic = false;
  DynamicOptions dynamic_options;
};

/// The network named, and those of `with`. Throws Error (usage) if their vocabularies or document separators differ.
std::vector<LoadedModel> load_models(const ModelChoice& choice, const std::vector<std::string>& with);

/// Moves the model to its device, without its dropout, and applies threads and precision. Errors: see
/// Network::configure().
std::unique_ptr<Network> make_network(const LoadedModel& model, const EvalChoice& choice);

/// The loss of `models` on a part of a text, as chosen.
EvalResult measure(const std::vector<LoadedModel>& models, const Corpus& corpus, Split split, EvalChoice choice);

/// Up to `most` symbols of `ids` from `begin` on, each with the one after it as target, as a window of one stream.
Batch window_of(std::span<const std::int64_t> ids, std::int64_t begin, std::int64_t most, DocumentStarts& documents);

/// Changes the weights in memory by that many passes of dynamic evaluation over the prompt.
void adapt(LoadedModel& model, const TextOptions& prompt, std::int64_t passes);

/// "state carried over the whole split, dynamic evaluation, mean of 2 networks"
std::string describe(const EvalChoice& choice);
}  // namespace charnn::cli
