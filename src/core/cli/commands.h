#pragma once
#include <functional>
#include <utility>
#include <CLI/CLI.hpp>

namespace charnn::cli {
struct Extras;

/// What every command knows.
struct Globals {
  bool quiet = false;    ///< nothing on stderr but errors
  bool verbose = false;  ///< a line for every metrics record
};

/// A command's work; returns the exit status. It runs after the whole command line has been parsed.
using Action = std::function<int()>;

/// Makes `work` the action if the user chooses `command`.
inline void on_chosen(CLI::App* command, Action& action, Action work) {
  command->callback([&action, work = std::move(work)] { action = work; });
}

// Each adds its subcommand to `app` and sets `action` when the user has chosen it.
void add_train(CLI::App& app, const Globals& globals, Action& action, const Extras& extras);
void add_sample(CLI::App& app, const Globals& globals, Action& action, const Extras& extras);
void add_eval(CLI::App& app, Action& action);
void add_lr_find(CLI::App& app, const Globals& globals, Action& action, const Extras& extras);
void add_info(CLI::App& app, Action& action);
}  // namespace charnn::cli
