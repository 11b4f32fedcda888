#include "core/cli/config.h"
#include <algorithm>
#include <map>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/files.h"

namespace charnn::cli {
KeySet ConfigInput::apply(Config& config) const {
  std::vector<Section> sections = describe(config);
  KeySet given;
  if (!file.empty()) given = read_config(read_file(file, "config"), file, sections);
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
      fail_input(fmt::format("--set {}", text), "--set section.key=value", "for example --set train.batch_size=64");
    set(text.substr(0, equals), text.substr(equals + 1), "--set " + text.substr(0, equals));
  }
  return given;
}

void add_config_flags(CLI::App& command, ConfigInput& input, const std::vector<std::string>& section_names) {
  const Config defaults;
  for (const Section& section : describe_const(defaults)) {
    if (std::find(section_names.begin(), section_names.end(), section.name) == section_names.end()) continue;
    for (const Field& field : section.fields) {
      const std::string key = section.name + "." + field.name;
      const auto take = [&input, key](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) input.flags.emplace_back(key, text);
        return true;
      };
      const std::string help =
          field.type == Field::Type::choice ? fmt::format("{}: {}", field.type_text(), field.help) : field.help;
      command.add_option_function<std::vector<std::string>>("--" + field.flag, take, help)
          ->allow_extra_args(false)  // each use of the flag takes one value; a CONFIG may follow
          ->multi_option_policy(field.type == Field::Type::text_list ? CLI::MultiOptionPolicy::TakeAll
                                                                     : CLI::MultiOptionPolicy::TakeLast)
          ->type_name(field.value_name.empty() ? to_json(field.get()).dump() : field.value_name)
          ->group(section.help);
    }
  }
  command.add_option("--set", input.sets, "any option by its key, for example --set train.batch_size=64")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
}
}  // namespace charnn::cli
