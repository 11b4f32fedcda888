#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>
#include <nlohmann/json.hpp>
#include "core/base/describe.h"

namespace charnn {
/// Keys ("train.batch_size") that the user set explicitly; all others hold their defaults.
using KeySet = std::set<std::string>;

/// Reads a config (JSON, // and /* */ comments allowed) into the bound fields; keys that are absent stay as they are.
/// `source` names it in messages ("configs/x.json"). Returns the keys that were present. Throws Error (usage), with
/// line and column: broken JSON, unknown or repeated key (naming the nearest known one), wrong type, out of range.
KeySet read_config(std::string_view json, const std::string& source, std::vector<Section> sections);

/// The field of a dotted key ("train.batch_size"). Throws Error (usage) naming the nearest known key.
Field& find_field(std::vector<Section>& sections, const std::string& key, const std::string& where);

/// All fields with their values, in the order of their declaration. The fields of a section without a name stand at the top.
nlohmann::ordered_json config_to_json(const std::vector<Section>& sections);

/// JSON Schema (draft 2020-12) of the config.
nlohmann::ordered_json config_schema(const std::vector<Section>& sections);

/// A table of every option (key, default, allowed values, meaning) in Markdown.
std::string config_markdown(const std::vector<Section>& sections);

nlohmann::json to_json(const Value& value);
/// Nothing if no field can have such a value: true, an object, ...
std::optional<Value> to_value(const nlohmann::json& item);
}  // namespace charnn
