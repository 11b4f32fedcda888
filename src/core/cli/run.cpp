#include <algorithm>
#include <csignal>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/version.h"
#include "core/cli/extras.h"
#include "core/model/torch_runtime.h"

namespace charnn::cli {
namespace {
template <class Enum, std::size_t N>
void add_choice(CLI::App& command, const std::string& flag, Enum& value, const std::array<const char*, N>& names,
                const std::string& help) {
  const std::vector<std::string> known(names.begin(), names.end());
  const auto set = [&value, known](const std::string& name) {
    value = static_cast<Enum>(std::find(known.begin(), known.end(), name) - known.begin());
  };
  command.add_option_function<std::string>(flag, set, help)->check(CLI::IsMember(known));
}
}  // namespace

void on_chosen(CLI::App* command, Action& action, Action work) {
  command->callback([&action, work = std::move(work)] { action = work; });
}

void add_model_choice(CLI::App& command, ModelChoice& choice) {
  command.add_option("model", choice.run_or_file, "run folder or checkpoint file")->required()->type_name("RUN|CKPT");
  command.add_option("--checkpoint", choice.which, "in a run folder: best, last, or a step (--keep-every)")
      ->type_name("best|last|N")
      ->capture_default_str();
}

void add_eval_choice(CLI::App& command, EvalChoice& choice) {
  auto* window = command.add_option("--window", choice.options.window, "reset the state every N characters; 0: never")
                     ->check(CLI::NonNegativeNumber);
  auto* streams =
      command
          .add_option(
              "--streams", choice.options.streams,
              "read the text as N parallel streams, each warmed up on 256 characters; 1: unbroken; 0: automatic")
          ->check(CLI::NonNegativeNumber);
  add_choice(
      command, "--precision", choice.precision, precision_names,
      "number format of matrix products on a CPU; bf16: faster where supported, changes the loss by about 0.1 %");
  command.add_option("--threads", choice.threads, "CPU threads; 0: one per core")->check(CLI::NonNegativeNumber);
  auto* with = add_with(command, choice.with);
  auto* dynamic = command
                      .add_flag("--dynamic", choice.dynamic,
                                "dynamic evaluation: the network goes on learning from the text it has just predicted; "
                                "slow; the weights on disk stay as they are")
                      ->excludes(window)
                      ->excludes(streams)
                      ->excludes(with);
  DynamicOptions& learning = choice.dynamic_options;
  command.add_option("--dynamic-rate", learning.rate, "size of its steps")
      ->needs(dynamic)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--dynamic-decay", learning.decay, "how fast weights go back to the trained ones")
      ->needs(dynamic)
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--dynamic-segment", learning.segment, "characters from one step to the next")
      ->needs(dynamic)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

CLI::Option* add_with(CLI::App& command, std::vector<std::string>& with) {
  return command
      .add_option("--with", with,
                  "average the probabilities of this network too (an ensemble); may be given several times")
      ->allow_extra_args(false)
      ->type_name("RUN|CKPT");
}

void add_text_options(CLI::App& command, TextOptions& text) {
  command.add_option("--stop", text.stops, "end the text before this string; may be given several times")
      ->allow_extra_args(false)
      ->type_name("TEXT");
  command.add_flag("--until-line", text.until_line, "end the text at the end of its line");
  command.add_flag("--one-document", text.one_document, "end the text where the network ends the document");
  command.add_option("--max-seconds", text.max_seconds, "end the text after this time; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->type_name("S");
  add_choice(command, "--unknown", text.unknown, on_unknown_names,
             "unknown characters in the prompt: fail (error), drop them (skip), or turn them into spaces (replace)");
}

void add_config_flags(CLI::App& command, ConfigInput& input, const std::vector<std::string>& section_names) {
  const Config defaults;
  for (const Section& section : describe_const(defaults)) {
    if (std::find(section_names.begin(), section_names.end(), section.name) == section_names.end()) continue;
    for (const Field& field : section.fields) {
      const auto take = [&input, key = section.name + "." + field.name](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) input.flags.emplace_back(key, text);
        return true;
      };
      const bool list = field.type == Field::Type::text_list;
      command
          .add_option_function<std::vector<std::string>>(
              "--" + field.flag, take,
              field.type == Field::Type::choice ? field.type_text() + ": " + field.help : field.help)
          ->allow_extra_args(false)  // each use of the flag takes one value; a CONFIG may follow
          ->multi_option_policy(list ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast)
          ->type_name(field.value_name.empty() ? to_json(field.get()).dump() : field.value_name)
          ->group(section.help);
    }
  }
  command.add_option("--set", input.sets, "any option by its key, for example --set train.batch_size=64")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
}

int run(int argc, char** argv, const Extras& extras) {
  std::signal(SIGXFSZ, SIG_IGN);  // exceeding the file size limit becomes EFBIG
  std::signal(SIGPIPE, SIG_IGN);  // and a closed pipe EPIPE, where it is written to
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
