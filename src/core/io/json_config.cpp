#include "core/io/json_config.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include "core/base/error.h"

namespace charnn {
namespace {
using nlohmann::json;
using nlohmann::ordered_json;

/// Beside the sections, a config may name its schema.
constexpr const char* schema_key = "$schema";

std::vector<std::string> all_keys(const std::vector<Section>& sections) {
  std::vector<std::string> keys;
  for (const Section& section : sections)
    for (const Field& field : section.fields) keys.push_back(section.name + "." + field.name);
  return keys;
}

/// The known key that was probably meant: first by its last part (forgotten or wrong section), then as a whole.
std::string suggestion(const std::vector<Section>& sections, const std::string& key) {
  const std::string last = key.substr(key.rfind('.') + 1);
  const std::vector<std::string> keys = all_keys(sections);
  for (const std::string& known : keys)
    if (known.substr(known.rfind('.') + 1) == last) return known;
  return nearest(key, keys);
}

/// A config's text, with line and column of its keys.
class ConfigText {
 public:
  ConfigText(std::string_view text, const std::string& source) : text_(text), source_(source) { blank_comments(); }

  /// Throws Error (usage) for broken JSON and for a repeated key.
  ordered_json parse() const {
    KeySet seen;
    std::string section;
    const auto check = [&](int depth, ordered_json::parse_event_t event, ordered_json& parsed) {
      if (event != ordered_json::parse_event_t::key || depth > 2) return true;
      const auto key = parsed.get<std::string>();
      if (depth == 1) section = key;
      const std::string path = depth == 1 ? key : section + "." + key;
      if (!seen.insert(path).second)
        fail_input(fmt::format("{} appears twice", where(path)), "each key once", "remove one of them");
      return true;
    };
    try {
      return ordered_json::parse(text_, check);
    } catch (const ordered_json::exception& error) {
      const auto* syntax = dynamic_cast<const ordered_json::parse_error*>(&error);
      std::string reason = error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
      if (const auto colon = reason.find("] "); colon != std::string::npos) reason.erase(0, colon + 2);
      const std::size_t at = syntax != nullptr && syntax->byte > 0 ? syntax->byte - 1 : 0;
      fail_input(fmt::format("{}: {}", position_of(at), reason), "a JSON object; // comments are allowed",
                 "correct the config file at this place");
    }
  }

  /// "file:line:column", 1-based, of a key such as "train.lr" or "train".
  std::string position(const std::string& path) const {
    const std::size_t dot = path.find('.');
    std::size_t at = key_at(path.substr(0, dot), 0);
    if (dot != std::string::npos) at = key_at(path.substr(dot + 1), at + 1);
    return position_of(at);
  }
  std::string where(const std::string& path) const { return fmt::format("{}: {}", position(path), path); }

 private:
  /// Spaces in their place, so that nothing moves.
  void blank_comments() {
    bool quoted = false;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (quoted && text_[i] == '\\')
        ++i;
      else if (text_[i] == '"')
        quoted = !quoted;
      if (quoted || (text_.compare(i, 2, "//") != 0 && text_.compare(i, 2, "/*") != 0)) continue;
      const bool line = text_[i + 1] == '/';
      const std::size_t close = text_.find(line ? "\n" : "*/", i + 2);
      if (close == std::string::npos && !line) return;  // the parser says so
      const std::size_t end = close == std::string::npos ? text_.size() : line ? close : close + 2;
      for (; i < end; ++i)
        if (text_[i] != '\n') text_[i] = ' ';
      --i;
    }
  }

  std::size_t key_at(const std::string& key, std::size_t from) const {
    const std::string quoted = json(key).dump();
    for (std::size_t at = from; (at = text_.find(quoted, at)) != std::string::npos; ++at) {
      const std::size_t next = text_.find_first_not_of(" \t\r\n", at + quoted.size());
      if (next != std::string::npos && text_[next] == ':') return at;
    }
    return 0;
  }

  std::string position_of(std::size_t at) const {
    at = std::min(at, text_.size());
    const auto line = std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
    const std::size_t newline = at == 0 ? std::string::npos : text_.rfind('\n', at - 1);
    return fmt::format("{}:{}:{}", source_, line, at - (newline == std::string::npos ? 0 : newline + 1) + 1);
  }

  std::string text_;
  const std::string& source_;
};

[[noreturn]] void unknown_section(const std::string& where, const std::string& name,
                                  const std::vector<Section>& sections) {
  std::vector<std::string> names;
  for (const Section& section : sections) names.push_back(section.name);
  std::string hint = fmt::format("did you mean \"{}\"?", nearest(name, names));
  for (const std::string& key : all_keys(sections))
    if (key.substr(key.rfind('.') + 1) == name)
      hint = fmt::format("it is an option of a section: write \"{}\": {{\"{}\": ...}}", key.substr(0, key.find('.')),
                         name);
  fail_input(fmt::format("{}: unknown section", where),
             fmt::format("a section of the config: {}", fmt::join(names, ", ")), hint);
}
}  // namespace

KeySet read_config(std::string_view json_text, const std::string& source, std::vector<Section> sections) {
  const ConfigText text(json_text, source);
  const ordered_json config = text.parse();
  const auto require_object = [](const ordered_json& item, const std::string& where, const char* expected) {
    if (!item.is_object()) fail_input(fmt::format("{}: found {}", where, item.dump()), expected, "see docs/config.md");
  };
  require_object(config, text.position(""), "an object { ... } with sections");
  KeySet given;
  for (const auto& [name, options] : config.items()) {
    if (name == schema_key) {
      if (!options.is_string())
        fail_input(fmt::format("{} = {}", text.where(name), options.dump()),
                   "a string: where an editor finds the JSON Schema",
                   "remove it, or name the file that charnn schema has written");
      continue;  // for editors; charnn has no use for it
    }
    if (std::none_of(sections.begin(), sections.end(), [&, &name = name](const Section& s) { return s.name == name; }))
      unknown_section(text.where(name), name, sections);
    require_object(options, text.where(name), "an object { ... } with this section's options");
    for (const auto& [key, item] : options.items()) {
      const std::string path = name + "." + key;
      Field& field = find_field(sections, path, text.position(path));
      const auto value = to_value(json(item));
      if (!value || std::holds_alternative<std::monostate>(*value))
        fail_input(fmt::format("{} = {}", text.where(path), item.dump()), field.allowed_text(), field.help);
      assign(field, *value, text.where(path));
      given.insert(path);
    }
  }
  return given;
}

Field& find_field(std::vector<Section>& sections, const std::string& key, const std::string& where) {
  for (Section& section : sections)
    for (Field& field : section.fields)
      if (section.name + "." + field.name == key) return field;
  fail_input(fmt::format("{}: unknown key \"{}\"", where, key), "a key of docs/config.md (charnn schema --markdown)",
             fmt::format("did you mean \"{}\"?", suggestion(sections, key)));
}

json to_json(const Value& value) {
  return std::visit(
      [](const auto& alternative) {
        if constexpr (std::is_same_v<std::decay_t<decltype(alternative)>, std::monostate>)
          return json();
        else
          return json(alternative);
      },
      value);
}

std::optional<Value> to_value(const json& item) {
  if (item.is_null()) return Value(std::monostate());
  if (item.is_number_integer() && (!item.is_number_unsigned() || item <= std::numeric_limits<std::int64_t>::max()))
    return Value(item.get<std::int64_t>());
  if (item.is_number()) return Value(item.get<double>());
  if (item.is_string()) return Value(item.get<std::string>());
  if (!item.is_array()) return std::nullopt;
  if (!std::all_of(item.begin(), item.end(), [](const json& part) { return part.is_string(); })) return std::nullopt;
  return Value(item.get<std::vector<std::string>>());
}

ordered_json config_to_json(const std::vector<Section>& sections) {
  ordered_json config = ordered_json::object();
  for (const Section& section : sections)
    for (const Field& field : section.fields)
      (section.name.empty() ? config : config[section.name])[field.name] = to_json(field.get());
  return config;
}

namespace {
ordered_json field_schema(const Field& field) {
  ordered_json schema = {{"description", field.help}, {"default", to_json(field.get())}};
  switch (field.type) {
    case Field::Type::integer: schema["type"] = "integer"; break;
    case Field::Type::real: schema["type"] = "number"; break;
    case Field::Type::text: schema["type"] = "string"; break;
    case Field::Type::choice: schema["enum"] = field.choices; break;
    case Field::Type::text_list:
      schema["type"] = "array";
      schema["items"] = {{"type", "string"}};
      break;
    case Field::Type::optional_real: schema["type"] = {"number", "null"}; break;
  }
  if (std::isfinite(field.range.min))
    schema[field.range.min_excluded ? "exclusiveMinimum" : "minimum"] = field.range.min;
  if (std::isfinite(field.range.max))
    schema[field.range.max_excluded ? "exclusiveMaximum" : "maximum"] = field.range.max;
  return schema;
}
}  // namespace

ordered_json config_schema(const std::vector<Section>& sections) {
  ordered_json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                         {"title", "charnn config"},
                         {"description", "Options of charnn train, section by section; each has a default."},
                         {"type", "object"},
                         {"additionalProperties", false},
                         {"properties", ordered_json::object()}};
  schema["properties"][schema_key] = {{"type", "string"},
                                      {"description", "where an editor finds this schema; charnn ignores it"}};
  for (const Section& section : sections) {
    ordered_json part = {{"type", "object"}, {"description", section.help}, {"additionalProperties", false}};
    for (const Field& field : section.fields) part["properties"][field.name] = field_schema(field);
    schema["properties"][section.name] = part;
  }
  return schema;
}

std::string config_markdown(const std::vector<Section>& sections) {
  std::string text = "| key | flag | default | allowed | meaning |\n|---|---|---|---|---|\n";
  for (const Section& section : sections)
    for (const Field& field : section.fields)
      text += fmt::format("| `{}.{}` | `--{}` | `{}` | {} | {}{} |\n", section.name, field.name, field.flag,
                          to_json(field.get()).dump(), field.allowed_text(), field.help,
                          field.fixed ? " (fixed for a run)" : "");
  return text;
}
}  // namespace charnn
