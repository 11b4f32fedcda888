#include <memory>
#include "core/cli/config.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "extras/shell/schema.h"

namespace charnn::cli {
void add_completions_command(CLI::App& app, const Globals& globals, Action& action);
void add_man_command(CLI::App& app, const Globals& globals, Action& action);

namespace {
void add_schema_command(CLI::App& app, const Globals&, Action& action) {
  auto markdown = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("schema", "print the JSON Schema of the config");
  command->add_flag("--markdown", *markdown, "print the config reference as a table instead");
  on_chosen(command, action, [markdown] {
    const Config defaults;
    const auto sections = describe_const(defaults);
    write_stdout(*markdown ? config_markdown(sections) : config_schema(sections).dump(2) + "\n");
    return 0;
  });
}
}  // namespace

void add_shell(Extras& extras) {
  extras.commands.emplace_back(add_schema_command);
  extras.commands.emplace_back(add_completions_command);
  extras.commands.emplace_back(add_man_command);
}
}  // namespace charnn::cli
