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

/// Reads a config (JSON, // and /* */ comments allowed) into the bound fields; absent keys leave their fields
/// unchanged. `source` names it in messages ("configs/x.json"). Returns the keys that were present. Throws Error
/// (usage), with line and column: invalid JSON, unknown or repeated key (suggesting the nearest known one), wrong type,
/// out of range.
KeySet read_config(std::string_view json, const std::string& source, std::vector<Section> sections);

/// The field of a dotted key ("train.batch_size"). Throws Error (usage) suggesting the nearest known key.
Field& find_field(std::vector<Section>& sections, const std::string& key, const std::string& where);

/// All fields with their values, in order of declaration. The fields of a section without a name are at the top level.
nlohmann::ordered_json config_to_json(const std::vector<Section>& sections);

nlohmann::json to_json(const Value& value);

/// On one line, in ASCII, so that no reader can mistake the encoding; bytes that are not UTF-8 become U+FFFD.
std::string to_ascii(const nlohmann::ordered_json& json);
/// Sets line[key]. JSON holds no bytes that are not UTF-8: they become U+FFFD, and line["base64"] has all of them.
void put_text(nlohmann::ordered_json& line, const char* key, const std::string& text);

std::optional<Value> to_value(const nlohmann::json& item);  ///< empty for types that no field has: true, an object, ...

/// Parses untrusted JSON. Throws std::invalid_argument for invalid JSON, a repeated key (of which nlohmann would
/// silently keep the last) and nesting deeper than 8.
nlohmann::json parse_strict(std::string_view text);
}  // namespace charnn
