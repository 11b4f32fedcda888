#include "core/io/json_config.h"
#include <algorithm>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/utf8.h"

namespace charnn {
namespace {
using nlohmann::json;
using nlohmann::ordered_json;

/// What was probably meant: a key with the same last part (forgotten or wrong section), else the nearest section for a
/// name without a dot, the nearest key for others.
std::string suggestion(const std::vector<Section>& sections, const std::string& key) {
  const std::string last = key.substr(key.rfind('.') + 1);
  std::vector<std::string> known;
  for (const Section& section : sections) {
    if (last == key) known.push_back(section.name);
    for (const Field& field : section.fields) {
      if (field.name == last) return section.name + "." + field.name;
      if (last != key) known.push_back(section.name + "." + field.name);
    }
  }
  return nearest(key, known);
}

/// The text of a config; finds the line and column of its keys.
class ConfigText {
 public:
  ConfigText(std::string_view text, const std::string& source) : text_(text), source_(source) { blank_comments(); }

  /// Throws Error (usage) for invalid JSON and for a repeated key.
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
  /// Replaces comments by spaces, which keeps the position of everything else.
  void blank_comments() {
    bool quoted = false;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (quoted && text_[i] == '\\')
        ++i;
      else if (text_[i] == '"')
        quoted = !quoted;
      const bool line = text_.compare(i, 2, "//") == 0;
      if (quoted || (!line && text_.compare(i, 2, "/*") != 0)) continue;
      const std::size_t close = text_.find(line ? "\n" : "*/", i + 2);
      if (close == std::string::npos && !line) return;  // an error that the parser reports
      const std::size_t end = line ? std::min(close, text_.size()) : close + 2;
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
    const std::string_view before = std::string_view(text_).substr(0, at);
    const std::size_t line_begin = before.rfind('\n') + 1;  // 0 in the first line: npos + 1 is 0
    return fmt::format("{}:{}:{}", source_, std::count(before.begin(), before.end(), '\n') + 1,
                       before.size() - line_begin + 1);
  }

  std::string text_;
  const std::string& source_;
};
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
    if (name == "$schema") {  // for editors; charnn ignores it
      if (options.is_string()) continue;
      fail_input(fmt::format("{} = {}", text.where(name), options.dump()),
                 "a string: the path or URL of the JSON Schema",
                 "remove it, or name the file written by charnn schema");
    }
    if (std::none_of(sections.begin(), sections.end(),
                     [&, &name = name](const Section& s) { return s.name == name; })) {
      const std::string meant = suggestion(sections, name);
      std::string names;
      for (const Section& section : sections) names += (names.empty() ? "" : ", ") + section.name;
      const std::size_t dot = std::min(meant.find('.'), meant.size());
      fail_input(fmt::format("{}: unknown section", text.where(name)), "one of " + names,
                 dot == meant.size() ? did_you_mean(meant)
                                     : fmt::format("this is an option of a section: write \"{}\": {{\"{}\": ...}}",
                                                   meant.substr(0, dot), meant.substr(dot + 1)));
    }
    require_object(options, text.where(name), "an object { ... } with this section's options");
    for (const auto& [key, item] : options.items()) {
      const std::string path = name + "." + key;
      Field& field = find_field(sections, path, text.position(path));
      const auto value = to_value(json(item));
      if (!value || std::holds_alternative<std::monostate>(*value))
        fail_input(fmt::format("{} = {}", text.where(path), item.dump()), field.allowed_text(), "");
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
             did_you_mean(suggestion(sections, key)));
}

json to_json(const Value& value) {
  return std::visit(
      [](const auto& alternative) {
        if constexpr (std::is_constructible_v<json, decltype(alternative)>) return json(alternative);
        return json();
      },
      value);
}

namespace {
std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t j = i; j < i + 3; ++j)
      three = three << 8 | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) text += i + j <= bytes.size() ? digits[three >> (18 - 6 * j) & 63U] : '=';
  }
  return text;
}
}  // namespace

std::string to_ascii(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::ordered_json::error_handler_t::replace);
}

void put_text(nlohmann::ordered_json& line, const char* key, const std::string& text) {
  line[key] = text;
  if (find_invalid_utf8(text)) line["base64"] = base64(text);
}

std::optional<Value> to_value(const json& item) {
  if (item.is_null()) return Value(std::monostate());
  if (item.is_number_integer() && (!item.is_number_unsigned() || item <= std::numeric_limits<std::int64_t>::max()))
    return Value(item.get<std::int64_t>());
  if (item.is_number()) return Value(item.get<double>());
  if (item.is_string()) return Value(item.get<std::string>());
  if (item.is_array() && std::all_of(item.begin(), item.end(), [](const json& part) { return part.is_string(); }))
    return Value(item.get<std::vector<std::string>>());
  return std::nullopt;
}

ordered_json config_to_json(const std::vector<Section>& sections) {
  ordered_json config = ordered_json::object();
  for (const Section& section : sections)
    for (const Field& field : section.fields)
      (section.name.empty() ? config : config[section.name])[field.name] = to_json(field.get());
  return config;
}

json parse_strict(std::string_view text) {
  constexpr int deepest = 8;  // deeper JSON could exhaust the stack of a recursive reader
  std::vector<std::set<std::string>> keys;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > deepest) throw std::invalid_argument("nested too deeply");
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw std::invalid_argument("ambiguous: key " + parsed.dump(-1, ' ', true) + " appears twice");
    return true;
  };
  json value = json::parse(text.begin(), text.end(), check, /*allow_exceptions=*/false);
  if (value.is_discarded()) throw std::invalid_argument("not JSON");
  return value;
}
}  // namespace charnn
