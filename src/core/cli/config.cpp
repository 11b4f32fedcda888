#include "core/cli/config.h"
#include <filesystem>
#include <fstream>
#include <map>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/terminal.h"

namespace charnn::cli {
std::vector<Section> describe(Config& c) {
  return {charnn::describe(c.data),     charnn::describe(c.model), charnn::describe(c.optimizer),
          charnn::describe(c.schedule), charnn::describe(c.train), charnn::describe(c.sample)};
}

std::string run_name(const std::vector<std::string>& files) {
  const std::string first = files.empty() ? "" : files[0];
  std::filesystem::path path = first == "-" ? "stdin" : first.substr(first.starts_with('@') ? 1 : 0);
  if (first != "-") path = std::filesystem::absolute(path).lexically_normal();  // "." and ".." have a name of their own
  while (path.has_relative_path() &&
         (!path.has_filename() || path.filename().string().find_first_of("*?[") != std::string::npos))
    path = path.parent_path();
  return path.stem().empty() ? "run" : path.stem().string();
}

void complete_new_run(Config& config, const KeySet& given) {
  if (config.train.max_minutes > 0 && !given.contains("train.epochs")) config.train.epochs = 0;  // a limit is enough
  if (!config.data.document_separator.empty() && !given.contains("data.order")) config.data.order = Order::shuffled;
  if (!given.contains("model.decoder_input")) config.model.decoder_input = DecoderInput::sum;
}

std::string to_json_text(const Config& config) { return config_to_json(describe_const(config)).dump(2) + "\n"; }

Config config_from_json(std::string_view json, const std::string& source) {
  Config config;
  read_config(json, source, describe(config));
  return config;
}

namespace {
/// A config is an object.
bool begins_with_array(const std::string& path) {
  if (std::error_code none; !std::filesystem::is_regular_file(path, none)) return false;
  std::ifstream file(path);
  char first = '\0';
  return file >> first && first == '[';
}

/// A name in .json, or a small file that reads as a config.
bool is_config(const std::string& path) {
  const auto extension = std::filesystem::path(path).extension();
  if (begins_with_array(path)) return false;
  if (extension == ".json" || extension == ".jsonc") return true;
  std::error_code none;
  if (const auto size = std::filesystem::file_size(path, none); none || size == 0 || size > 1 << 20) return false;
  try {
    Config scratch;
    read_config(read_file(path, "config"), path, describe(scratch));
    return true;
  } catch (const Error&) {
    return false;
  }
}
}  // namespace

void ConfigInput::take_words() {
  for (const std::string& word : std::exchange(words, {})) {
    if (!is_config(word)) {
      flags.emplace_back("data.files", word);
    } else if (file.empty()) {
      file = word;
    } else {
      fail_input(fmt::format("two configs: {} and {}", file, word), "one config; all other files are texts",
                 fmt::format("leave one out; to train on it as a text: --data {}", word));
    }
  }
}

KeySet ConfigInput::apply(Config& config) const {
  std::vector<Section> sections = describe(config);
  KeySet given;
  if (!json.empty()) given = read_config(json, "config", sections);
  if (!file.empty()) {
    try {
      given.merge(read_config(read_file(file, "config"), file, sections));
    } catch (const Error& error) {
      throw Error(error.code(),
                  fmt::format("{}\n  note:     {} was taken for the config; to train on it as a text: --data {}",
                              error.what(), file, file),
                  "", "");
    }
    // A config that was installed with its data finds them: share/charnn/configs/x.json, share/charnn/data/x.txt.
    for (std::string& text : config.data.files)
      if (const auto beside = std::filesystem::path(file).parent_path().parent_path() / text;
          !std::filesystem::exists(text) && std::filesystem::exists(beside))
        text = beside.string();
  }
  std::map<std::string, std::vector<std::string>> lists;  // --data may be given several times
  const auto set = [&](const std::string& key, const std::string& text, const std::string& where) {
    Field& field = find_field(sections, key, where);
    given.insert(key);
    if (field.type != Field::Type::text_list)
      return assign_text(field, field.type == Field::Type::text ? unescaped(text) : text, where);
    lists[key].push_back(field.value_name == "FILE" ? text : unescaped(text));
    assign(field, Value(lists[key]), where);
  };
  for (const auto& [key, text] : flags) set(key, text, "--" + find_field(sections, key, key).flag);
  for (const std::string& text : sets) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      fail_input("--set " + text, "--set section.key=value", "for example --set train.batch_size=64");
    set(text.substr(0, equals), text.substr(equals + 1), "--set " + text.substr(0, equals));
  }
  DataConfig& data = config.data;
  if (data.documents == Documents::files && data.document_separator.empty()) data.document_separator = file_separator;
  if (data.documents == Documents::files && data.document_separator != file_separator)
    fail_input(fmt::format("data.documents = \"files\" with data.document_separator \"{}\"",
                           on_one_line(data.document_separator)),
               "one of them", "leave the separator out: files have one of their own");
  return given;
}
}  // namespace charnn::cli
