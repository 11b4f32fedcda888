#include "extras/shell/shell.h"
#include <memory>
#include <CLI/CLI.hpp>
#include "core/cli/config.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "extras/shell/schema.h"

namespace charnn::cli {
void add_shell(Extras& extras) {
  extras.commands.emplace_back([](CLI::App& app, const Globals&, Action& action) {
    auto markdown = std::make_shared<bool>(false);
    CLI::App* command = app.add_subcommand("schema", "print the JSON Schema of the config");
    command->add_flag("--markdown", *markdown, "print the config reference as a Markdown table instead");
    on_chosen(command, action, [markdown] {
      const Config defaults;
      const auto sections = describe_const(defaults);
      write_stdout(*markdown ? config_markdown(sections) : config_schema(sections).dump(2) + "\n");
      return 0;
    });
  });
  extras.commands.emplace_back([](CLI::App& app, const Globals&, Action& action) {
    auto shell = std::make_shared<std::string>();
    CLI::App* command =
        app.add_subcommand("completions", "print a script that completes charnn's command line in a shell");
    command->add_option("shell", *shell, "the shell that loads the script")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}))
        ->type_name("SHELL");
    on_chosen(command, action, [&app, shell] {
      const auto script = *shell == "bash" ? bash_script : *shell == "zsh" ? zsh_script : fish_script;
      write_stdout(script(option_table(app)));
      return 0;
    });
  });
  extras.commands.emplace_back([](CLI::App& app, const Globals&, Action& action) {
    CLI::App* command = app.add_subcommand("man", "print the manual page (roff, for man -l)");
    on_chosen(command, action, [&app] {
      write_stdout(man_page(option_table(app)));
      return 0;
    });
  });
}
}  // namespace charnn::cli
