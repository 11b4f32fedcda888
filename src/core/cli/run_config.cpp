#include "core/cli/run_config.h"
#include <nlohmann/json.hpp>
#include "core/io/json_config.h"

namespace charnn::cli {
std::vector<Section> describe(Config& c) {
  return {charnn::describe(c.data),     charnn::describe(c.model), charnn::describe(c.optimizer),
          charnn::describe(c.schedule), charnn::describe(c.train), charnn::describe(c.sample)};
}

std::string to_json_text(const Config& config) { return config_to_json(describe_const(config)).dump(2) + "\n"; }

Config config_from_json(std::string_view json, const std::string& source) {
  Config config;
  read_config(json, source, describe(config));
  return config;
}
}  // namespace charnn::cli
