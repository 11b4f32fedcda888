#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/base/describe.h"

namespace charnn {

/// Names of options ("train.batch_size") that were set by the user, as against left at their default.
using KeySet = std::set<std::string>;

/// Reads a config (JSON, // and /* */ comments allowed) into the bound fields; keys that are absent stay as they are.
/// `source` names it in messages ("configs/x.json"). Returns the keys that were present. Throws Error (usage), with
/// line and column: broken JSON, unknown or repeated key (naming the nearest known one), wrong type, out of range.
KeySet read_config(std::string_view json, const std::string& source, const std::vector<Section>& sections);

/// The field of a dotted key ("train.batch_size"). Throws Error (usage) naming the nearest known key.
const Field& find_field(const std::vector<Section>& sections, const std::string& key, const std::string& where);

/// All options with their present values, in the order of their declaration.
nlohmann::ordered_json config_to_json(const std::vector<Section>& sections);

/// JSON Schema (draft 2020-12) of the config.
nlohmann::ordered_json config_schema(const std::vector<Section>& sections);

/// A table of every option (key, default, allowed values, meaning) in Markdown.
std::string config_markdown(const std::vector<Section>& sections);

nlohmann::json to_json(const Value& value);

}  // namespace charnn
