#pragma once
#include <array>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace charnn::cli {
/// What a shell can offer as the value of an option.
enum class Offer {
  nothing,  ///< a number or free text
  values,   ///< OptionRow::values
  keys,     ///< OptionRow::values, each a prefix to be continued
  files,
  folders,
};
inline constexpr std::array<const char*, 5> offer_names{"nothing", "values", "keys", "files", "folders"};

/// An option, flag or positional of a command.
struct OptionRow {
  std::vector<std::string> names;  ///< with dashes: -p, --prompt; a positional has one name
  std::string group;               ///< heading in --help; empty: the default group
  std::string help;
  bool positional = false;
  bool required = false;
  bool repeats = false;               ///< each use adds a value
  std::string value;                  ///< placeholder for the value: FILE, N, ...; empty: a flag
  Offer offer = Offer::nothing;       ///< for the value
  std::vector<std::string> values;    ///< the known values
  std::string limits;                 ///< allowed range, in words
  std::string default_text;           ///< empty: no default
  std::vector<std::string> excludes;  ///< options that cannot be combined with this one
  std::vector<std::string> needs;     ///< options that this one requires
};

/// The program, or one of its commands. Flags are in the order of --help.
struct CommandRow {
  std::string name;
  std::string help;
  std::vector<OptionRow> positionals;
  std::vector<OptionRow> flags;
};

/// The whole command line as data: completions and the manual page are generated from it.
struct OptionTable {
  CommandRow program;  ///< its flags may also follow the command
  std::vector<CommandRow> commands;
};

OptionTable option_table(const CLI::App& app);

std::string bash_script(const OptionTable& table);
std::string zsh_script(const OptionTable& table);
std::string fish_script(const OptionTable& table);
std::string man_page(const OptionTable& table);

/// text(part) for every part, with `separator` in between.
template <class Parts, class Text>
std::string joined(const Parts& parts, const std::string& separator, Text text) {
  std::string all;
  for (const auto& part : parts) all += (all.empty() ? "" : separator) + text(part);
  return all;
}
}  // namespace charnn::cli
