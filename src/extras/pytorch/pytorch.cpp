#include "core/cli/extras.h"

namespace charnn::cli {
void add_export_command(CLI::App& app, const Globals& globals, Action& action);
void add_import_command(CLI::App& app, const Globals& globals, Action& action);

void add_pytorch(Extras& extras) {
  extras.commands.emplace_back(add_export_command);
  extras.commands.emplace_back(add_import_command);
}
}  // namespace charnn::cli
