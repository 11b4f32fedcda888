#include "core/cli/run.h"
#include <csignal>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/version.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/model/torch_runtime.h"

namespace charnn::cli {
int run(int argc, char** argv, const Extras& extras) {
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is seen as EFBIG
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is seen as EPIPE where it is written
  Globals globals;
  Action action;
  CLI::App app("Trains a character-level recurrent network on any text and writes new text with it.", "charnn");
  app.set_version_flag("--version", fmt::format("charnn {} (LibTorch {})", version, torch_version()));
  app.add_flag("-q,--quiet", globals.quiet, "print nothing but results and errors");
  app.add_flag("-v,--verbose", globals.verbose, "train: a line for every record of metrics.jsonl instead of a bar");
  app.fallthrough();  // the flags above may follow the command
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  app.footer(
      "Exit status: 0 success, 1 failure, 2 bad usage or input, 3 training diverged, 130/143 stopped by a signal after "
      "saving.\n\nBegin with:\n  charnn init FILE.txt\n  charnn train FILE.json\n  charnn sample runs/FILE");
  add_train(app, globals, action, extras);
  add_sample(app, globals, action, extras);
  add_eval(app, action);
  add_lr_find(app, globals, action, extras);
  add_info(app, action);
  for (const auto& add_command : extras.commands) add_command(app, globals, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    fail_input(error.what(), "",
               fmt::format("see charnn {}--help", chosen.empty() ? "" : chosen.front()->get_name() + " "));
  }
  return action();
}
}  // namespace charnn::cli
