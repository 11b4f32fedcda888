#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace charnn::cli {

/// What every command knows.
struct Globals {
  bool quiet = false;    ///< nothing on stderr but errors
  bool verbose = false;  ///< a line for every metrics record
};

/// A command's work; returns the exit status. It runs after the whole command line has been parsed.
using Action = std::function<int()>;

// Each adds its subcommand to `app` and sets `action` when the user has chosen it.
void add_train(CLI::App& app, const Globals& globals, Action& action);
void add_sample(CLI::App& app, const Globals& globals, Action& action);
void add_eval(CLI::App& app, const Globals& globals, Action& action);
void add_bench(CLI::App& app, const Globals& globals, Action& action);
void add_info(CLI::App& app, const Globals& globals, Action& action);
void add_init(CLI::App& app, const Globals& globals, Action& action);
void add_lr_find(CLI::App& app, const Globals& globals, Action& action);
void add_plot(CLI::App& app, const Globals& globals, Action& action);
void add_score(CLI::App& app, const Globals& globals, Action& action);
void add_serve(CLI::App& app, const Globals& globals, Action& action);
void add_export(CLI::App& app, const Globals& globals, Action& action);
void add_import(CLI::App& app, const Globals& globals, Action& action);
void add_schema(CLI::App& app, const Globals& globals, Action& action);
void add_completions(CLI::App& app, const Globals& globals, Action& action);
void add_man(CLI::App& app, const Globals& globals, Action& action);

/// The whole program: parses the arguments and runs the command. Throws Error; returns the exit status.
int run(int argc, char** argv);

}  // namespace charnn::cli
