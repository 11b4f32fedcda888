#include "extras/shell/option_table.h"
#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>
#include <sstream>
#include <variant>

namespace charnn::cli {
namespace {
std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool is_any(const std::string& word, int (*kind)(int)) {
  return std::any_of(word.begin(), word.end(), [&](unsigned char c) { return kind(c) != 0; });
}

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Of a type such as "best|last|N": the words that are written as they stand here, best and last.
std::vector<std::string> words_in(const std::string& type) {
  std::vector<std::string> words;
  for (const std::string& word : split(type, '|'))
    if (is_any(word, std::islower) && !is_any(word, std::isupper) && !is_any(word, std::ispunct)) words.push_back(word);
  return words;
}

/// What a type such as "FILE|-", "RUN|CKPT" or "CONFIG.json" asks for.
Offer offer_for(const std::string& type) {
  Offer offer = Offer::nothing;
  for (std::string word : split(type, '|')) {
    if (word.size() > 3 && word.substr(word.size() - 3) == "...") word.erase(word.size() - 3);
    if (word == "FILE" || word == "CKPT" || word.find('.') != std::string::npos) return Offer::files;
    if (word == "DIR" || word == "RUN") offer = Offer::folders;
  }
  return offer;
}

const Field* field_of(const CLI::Option& option, const std::vector<Section>& config) {
  for (const Section& section : config)
    for (const Field& field : section.fields)
      if (section.help == option.get_group() && option.check_lname(field.flag)) return &field;
  return nullptr;
}

/// An option that stands for a field of the config.
void read_field(OptionRow& row, const Field& field) {
  row.help = field.help;
  const Value value = field.get();
  if (const auto* text = std::get_if<std::string>(&value))
    row.default_text = *text;
  else if (field.type != Field::Type::text_list)
    row.default_text = to_text(value);
  row.limits = field.range.text();
  switch (field.type) {
    case Field::Type::integer: row.value = "N"; break;
    case Field::Type::real: row.value = "NUMBER"; break;
    case Field::Type::choice:
      row.value = "NAME";
      row.offer = Offer::values;
      row.values = field.choices;
      break;
    case Field::Type::text:
    case Field::Type::text_list: row.value = "TEXT"; break;
  }
  if (field.value_name.empty()) return;
  row.value = field.value_name;
  if (row.offer == Offer::nothing) row.offer = offer_for(row.value);
}

/// Any other option: CLI11 writes its checks after the type name, "N:INT in [1 - 9]" or "TEXT:{a,b}".
void read_type(OptionRow& row, const std::string& type, const std::vector<Section>& config) {
  const std::size_t colon = type.find(':');
  const std::string checks = colon == std::string::npos ? "" : type.substr(colon + 1);
  row.value = type.substr(0, colon);
  row.values = words_in(row.value);
  row.offer = row.values.empty() ? offer_for(row.value) : Offer::values;
  if (checks.size() > 2 && checks.front() == '{' && checks.back() == '}') {
    row.values = split(checks.substr(1, checks.size() - 2), ',');
    row.offer = Offer::values;
  } else {
    row.limits = lower_case(checks);
  }
  if (row.value == "KEY=VALUE") {
    row.offer = Offer::keys;
    for (const Section& section : config)
      for (const Field& field : section.fields) row.values.push_back(section.name + "." + field.name + "=");
  }
  if (row.positional && row.offer != Offer::values) row.offer = Offer::files;
}

std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  if (names.empty()) names.push_back(option.get_name(true));
  return names;
}

std::vector<std::string> names_of(const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options)
    for (const std::string& name : names_of(*option)) names.push_back(name);
  std::sort(names.begin(), names.end());  // the set is in the order of addresses
  return names;
}

OptionRow row_of(const CLI::Option& option, const std::vector<Section>& config) {
  OptionRow row;
  row.names = names_of(option);
  row.group = option.get_group();
  row.help = option.get_description();
  row.positional = option.get_positional();
  row.required = option.get_required();
  row.default_text = option.get_default_str();
  row.excludes = names_of(option.get_excludes());
  row.needs = names_of(option.get_needs());
  if (option.get_items_expected_max() == 0) return row;
  const CLI::MultiOptionPolicy policy = option.get_multi_option_policy();
  row.repeats = option.get_items_expected_max() > 1 &&
                (policy == CLI::MultiOptionPolicy::TakeAll || policy == CLI::MultiOptionPolicy::Throw);
  if (const Field* field = field_of(option, config))
    read_field(row, *field);
  else
    read_type(row, option.get_type_name(), config);
  return row;
}

CommandRow row_of(const CLI::App& app, const std::vector<Section>& config) {
  CommandRow row{app.get_name(), app.get_description(), {}};
  const auto shown = [](const CLI::Option* option) { return !option->get_group().empty(); };
  for (const CLI::Option* option : app.get_options(shown)) row.options.push_back(row_of(*option, config));
  return row;
}

std::vector<OptionRow> those(const std::vector<OptionRow>& options, bool positional) {
  std::vector<OptionRow> rows;
  std::copy_if(options.begin(), options.end(), std::back_inserter(rows),
               [&](const OptionRow& row) { return row.positional == positional; });
  return rows;
}
}  // namespace

std::vector<OptionRow> CommandRow::positionals() const { return those(options, true); }
std::vector<OptionRow> CommandRow::flags() const { return those(options, false); }

OptionTable option_table(const CLI::App& app, const std::vector<Section>& config) {
  OptionTable table{row_of(app, config), {}, app.get_fallthrough()};
  const auto shown = [](const CLI::App* command) { return !command->get_group().empty(); };
  for (const CLI::App* command : app.get_subcommands(shown)) table.commands.push_back(row_of(*command, config));
  return table;
}
}  // namespace charnn::cli
