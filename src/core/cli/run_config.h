#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "core/data/corpus.h"
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

/// As config.json holds it.
std::string to_json_text(const Config& config);

/// From a config.json or the metadata of a checkpoint; `source` names it in messages.
Config config_from_json(std::string_view json, const std::string& source);
}  // namespace charnn::cli
