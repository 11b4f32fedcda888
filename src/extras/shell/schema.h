#pragma once
#include <string>
#include <vector>
#include <nlohmann/json_fwd.hpp>
#include "core/base/describe.h"

namespace charnn::cli {
/// JSON Schema (draft 2020-12) of the config.
nlohmann::ordered_json config_schema(const std::vector<Section>& sections);

/// A Markdown table of every option: key, flag, default, allowed values, meaning.
std::string config_markdown(const std::vector<Section>& sections);
}  // namespace charnn::cli
