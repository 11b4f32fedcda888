#include <memory>

#include "core/cli/commands.h"
#include "core/cli/config.h"
#include "core/cli/runtime.h"

namespace charnn::cli {

void add_schema(CLI::App& app, const Globals&, Action& action) {
  auto markdown = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("schema", "print the JSON Schema of the config");
  command->add_flag("--markdown", *markdown, "print the config reference as a table instead");
  command->callback([&action, markdown] {
    action = [markdown] {
      Config defaults;
      const auto sections = describe(defaults);
      write_stdout(*markdown ? config_markdown(sections) : config_schema(sections).dump(2) + "\n");
      return 0;
    };
  });
}

}  // namespace charnn::cli
