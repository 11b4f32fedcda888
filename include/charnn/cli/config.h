#pragma once

#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "charnn/data/data_config.h"
#include "charnn/io/json_config.h"
#include "charnn/model/model_config.h"
#include "charnn/sample/sample_config.h"
#include "charnn/train/train_config.h"

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

/// As config.json holds it.
std::string to_json_text(Config config);

/// From a config.json or the metadata of a checkpoint; `source` names it in messages.
Config config_from_json(std::string_view json, const std::string& source);

/// What was typed: a config file and options that override it.
struct ConfigInput {
  std::string file;                                        ///< may be empty
  std::vector<std::pair<std::string, std::string>> flags;  ///< dotted key, text
  std::vector<std::string> sets;                           ///< "key=value" of --set

  /// Merges file, then flags, then sets into `config`. Returns the keys that were given. Throws Error
  /// (usage).
  KeySet apply(Config& config) const;
};

/// Adds a flag for every option of the sections named, and --set, to `command`.
void add_config_flags(CLI::App& command, ConfigInput& input, const std::vector<std::string>& section_names);

}  // namespace charnn::cli
