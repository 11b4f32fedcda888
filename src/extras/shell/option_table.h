#pragma once
#include <functional>
#include <string>
#include <vector>
#include <CLI/CLI.hpp>
#include "core/base/describe.h"

namespace charnn::cli {
/// What a shell can offer where a value stands.
enum class Offer {
  nothing,  ///< a number, or any text
  values,   ///< OptionRow::values
  keys,     ///< OptionRow::values, each with more to follow
  files,
  folders,
};

/// An option, flag or positional of a command.
struct OptionRow {
  std::vector<std::string> names;  ///< with their dashes: -p, --prompt; a positional has its one name
  std::string group;
  std::string help;
  bool positional = false;
  bool required = false;
  bool repeats = false;               ///< each use adds a value
  std::string value;                  ///< what stands for its value: FILE, N, ...; empty: a flag
  Offer offer = Offer::nothing;       ///< for the value
  std::vector<std::string> values;    ///< those it is known to take
  std::string limits;                 ///< of a number, in words; may be empty
  std::string default_text;           ///< may be empty
  std::vector<std::string> excludes;  ///< names of options that it cannot stand with
  std::vector<std::string> needs;     ///< names of options that it cannot stand without
};

/// The program, or one of its commands.
struct CommandRow {
  std::string name;
  std::string help;
  std::vector<OptionRow> options;  ///< in the order of --help; positionals among them

  std::vector<OptionRow> positionals() const;
  std::vector<OptionRow> flags() const;  ///< all others
};

/// The whole command line as data, for what is made from it: completions and the manual page.
struct OptionTable {
  CommandRow program;
  std::vector<CommandRow> commands;
  bool flags_after_command = false;  ///< the program's own may follow the command
};

/// Reads the commands and options that `app` has. `config` gives the choices and ranges of those that stand for a field
/// of it.
OptionTable option_table(const CLI::App& app, const std::vector<Section>& config);

/// Every part of `parts` as `text` makes it, with `separator` between them.
template <class Part, class Text>
std::string joined(const std::vector<Part>& parts, const std::string& separator, Text text) {
  std::string all;
  for (const Part& part : parts) all += (all.empty() ? "" : separator) + std::invoke(text, part);
  return all;
}
}  // namespace charnn::cli
