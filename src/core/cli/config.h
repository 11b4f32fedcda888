#pragma once
#include <string>
#include <utility>
#include <vector>
#include <CLI/CLI.hpp>
#include "core/cli/run_config.h"
#include "core/io/json_config.h"

namespace charnn::cli {
/// What was typed: a config file and options that override it.
struct ConfigInput {
  std::string file;                                        ///< may be empty
  std::vector<std::pair<std::string, std::string>> flags;  ///< dotted key, text
  std::vector<std::string> sets;                           ///< "key=value" of --set

  /// Merges file, then flags, then sets into `config`. Returns the keys that were given. Throws Error (usage).
  KeySet apply(Config& config) const;
};

/// Adds a flag for every option of the sections named, and --set, to `command`.
void add_config_flags(CLI::App& command, ConfigInput& input, const std::vector<std::string>& section_names);
}  // namespace charnn::cli
