#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "core/data/corpus.h"
#include "core/io/json_config.h"
#include "core/model/model_config.h"
#include "core/sample/sampler.h"
#include "core/train/train_config.h"

namespace charnn::cli {
/// All options of a run: what config.json holds.
struct Config {
  DataConfig data;
  ModelConfig model;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  TrainConfig train;
  SampleConfig sample;
};

/// Every section, bound to `config`, which must outlive the result.
std::vector<Section> describe(Config& config);

/// The name of a run on these texts: that of the first file or folder.
std::string run_name(const std::vector<std::string>& files);

/// What a new run does unless `given`, the keys that are set, says otherwise. (A run that began with an older version
/// goes on as it began: its config lacks keys that are newer.)
void complete_new_run(Config& config, const KeySet& given);

/// The content of config.json.
std::string to_json_text(const Config& config);

/// Reads config.json or the config in a checkpoint; `source` names it in messages.
Config config_from_json(std::string_view json, const std::string& source);

/// Settings from the user, in ascending order of precedence.
struct ConfigInput {
  std::string json;                                        ///< a config; may be empty
  std::string file;                                        ///< path of a config; may be empty
  std::vector<std::pair<std::string, std::string>> flags;  ///< dotted key, value
  std::vector<std::string> sets;                           ///< "key=value" of --set
  std::vector<std::string> words;                          ///< configs or texts, to be told apart by take_words()

  /// Makes each of `words` the config, or a text to learn from, which every other file is. Throws Error (usage) for a
  /// second config.
  void take_words();

  /// Applies them to `config`. Returns the keys that were given. Throws Error (usage).
  KeySet apply(Config& config) const;
};
}  // namespace charnn::cli
