#include "core/cli/config.h"
#include <map>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/files.h"

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

KeySet ConfigInput::apply(Config& config) const {
  std::vector<Section> sections = describe(config);
  KeySet given;
  if (!json.empty()) given = read_config(json, "config", sections);
  if (!file.empty()) given.merge(read_config(read_file(file, "config"), file, sections));
  std::map<std::string, std::vector<std::string>> lists;  // --data may be given several times
  const auto set = [&](const std::string& key, const std::string& text, const std::string& where) {
    Field& field = find_field(sections, key, where);
    given.insert(key);
    if (field.type != Field::Type::text_list) return assign_text(field, text, where);
    lists[key].push_back(text);
    assign(field, Value(lists[key]), where);
  };
  for (const auto& [key, text] : flags) set(key, text, "--" + find_field(sections, key, key).flag);
  for (const std::string& text : sets) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      fail_input("--set " + text, "--set section.key=value", "for example --set train.batch_size=64");
    set(text.substr(0, equals), text.substr(equals + 1), "--set " + text.substr(0, equals));
  }
  return given;
}
}  // namespace charnn::cli
