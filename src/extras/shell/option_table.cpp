#include <algorithm>
#include <cctype>
#include <set>
#include <CLI/CLI.hpp>
#include "core/cli/config.h"
#include "extras/shell/shell.h"

namespace charnn::cli {
namespace {
using CLI::detail::split;

/// What a placeholder such as "FILE|-", "RUN|CKPT" or "CONFIG.json" stands for.
Offer offer_for(const std::string& placeholder) {
  const auto mentions = [&](const char* part) { return placeholder.find(part) != std::string::npos; };
  if (mentions("FILE") || mentions("CKPT") || mentions(".")) return Offer::files;
  return mentions("DIR") || mentions("RUN") ? Offer::folders : Offer::nothing;
}

/// For an option that sets a field of the config.
void read_field(OptionRow& row, const Field& field) {
  row.value = field.placeholder();
  row.help = field.help;
  row.limits = field.range.text();
  row.values = field.choices;
  row.offer = row.values.empty() ? offer_for(row.value) : Offer::values;
  row.default_text = field.default_text();
}

/// For any other option. CLI11 appends its checks to the placeholder: "N:INT in [1 - 9]", "TEXT:{a,b}".
void read_type(OptionRow& row, const std::string& type, const std::vector<Section>& config) {
  const std::size_t colon = type.find(':');
  const std::string checks = colon == std::string::npos ? "" : type.substr(colon + 1);
  row.value = type.substr(0, colon);
  for (const std::string& word : split(row.value, '|'))  // words to type as they are: best, last of "best|last|N"
    if (std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::islower(c) != 0; }))
      row.values.push_back(word);
  if (checks.starts_with('{'))
    row.values = split(checks.substr(1, checks.size() - 2), ',');
  else
    row.limits = CLI::detail::to_lower(checks);
  row.offer = !row.values.empty() ? Offer::values : row.positional ? Offer::files : offer_for(row.value);
  if (row.value != "KEY=VALUE") return;
  row.offer = Offer::keys;
  for (const Section& section : config)
    for (const Field& field : section.fields) row.values.push_back(section.name + "." + field.name + "=");
}

std::vector<std::string> names_of(const CLI::Option& option) { return split(option.get_name(false, true), ','); }

std::vector<std::string> names_of(const std::set<CLI::Option*>& options) {
  std::set<std::string> sorted;  // `options` is in the order of addresses
  for (const CLI::Option* option : options)
    for (const std::string& name : names_of(*option)) sorted.insert(name);
  return {sorted.begin(), sorted.end()};
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
  row.repeats =
      option.get_items_expected_max() > 1 && option.get_multi_option_policy() != CLI::MultiOptionPolicy::TakeLast;
  for (const Section& section : config)
    for (const Field& field : section.fields)
      if (section.help == option.get_group() && option.check_lname(field.flag)) {
        read_field(row, field);
        return row;
      }
  read_type(row, option.get_type_name(), config);
  return row;
}

CommandRow row_of(const CLI::App& app, const std::vector<Section>& config) {
  CommandRow command{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    // The program's --help is enough.
    if (app.get_parent() != nullptr && (option == app.get_help_ptr() || option == app.get_help_all_ptr())) continue;
    OptionRow row = row_of(*option, config);
    if (row.group == app.get_help_ptr()->get_group()) row.group.clear();
    (row.positional ? command.positionals : command.flags).push_back(std::move(row));
  }
  std::stable_partition(command.flags.begin(), command.flags.end(),
                        [](const OptionRow& row) { return row.group.empty(); });
  return command;
}
}  // namespace

OptionTable option_table(const CLI::App& app) {
  const Config defaults;
  const std::vector<Section> config = describe_const(defaults);
  OptionTable table{row_of(app, config), {}};
  for (const CLI::App* command : app.get_subcommands({})) table.commands.push_back(row_of(*command, config));
  return table;
}
}  // namespace charnn::cli
