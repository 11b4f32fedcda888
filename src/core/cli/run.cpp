#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/base/version.h"
#include "core/cli/extras.h"
#include "core/cli/help.h"
#include "core/model/torch_runtime.h"
#include "kernels/cpu.h"

namespace charnn::cli {
namespace {
template <class Enum, std::size_t N>
void add_choice(CLI::App& command, const std::string& flag, Enum& value, const std::array<const char*, N>& names,
                const std::string& help) {
  const std::vector<std::string> known(names.begin(), names.end());
  const auto set = [&value, known](const std::string& name) {
    value = static_cast<Enum>(std::find(known.begin(), known.end(), name) - known.begin());
  };
  command.add_option_function<std::string>(flag, set, help)
      ->check(CLI::IsMember(known))
      ->default_str(known[static_cast<std::size_t>(value)]);
}

void add_unknown(CLI::App& command, OnUnknown& unknown, const std::string& where) {
  add_choice(command, "--unknown", unknown, on_unknown_names,
             "unknown characters in " + where + ": fail (error), drop them (skip), or turn them into spaces (replace)");
}

CLI::Option* add_field(CLI::App& command, const std::string& flag, Field field) {
  const auto shared = std::make_shared<Field>(std::move(field));
  const auto set = [shared, flag](const std::string& text) { assign_text(*shared, text, flag); };
  auto* option = command.add_option_function<std::string>(flag, set, shared->help)->type_name(shared->placeholder());
  const Value value = shared->get();
  const bool in_range = std::visit(
      [&](const auto& number) {
        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(number)>>)
          return shared->range.contains(static_cast<double>(number));
        return false;
      },
      value);
  return in_range ? option->default_str(shared->default_text()) : option;
}
}  // namespace

CLI::Option* add_number(CLI::App& command, const std::string& flag, std::int64_t& value, const Range& range,
                        const std::string& help) {
  return add_field(command, flag, Field::integer("", value, range, help));
}

CLI::Option* add_number(CLI::App& command, const std::string& flag, double& value, const Range& range,
                        const std::string& help) {
  return add_field(command, flag, Field::real("", value, range, help));
}

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
  EvalOptions& options = choice.options;
  auto* window =
      add_number(command, "--window", options.window, at_least(0), "reset the state every N characters; 0: never");
  auto* streams =
      add_number(command, "--streams", options.streams, at_least(0),
                 "read the text as N parallel streams, each warmed up on 256 characters; 1: unbroken; 0: automatic");
  add_choice(
      command, "--precision", choice.precision, precision_names,
      "number format of matrix products; auto: bf16 if the run was trained in it and this machine has it, else fp32");
  add_threads(command, choice.threads);
  add_unknown(command, choice.unknown, "the text");
  auto* with = add_with(command, choice.with);
  auto* dynamic = command
                      .add_flag("--dynamic", choice.dynamic,
                                "dynamic evaluation: the network goes on learning from the text it has just predicted; "
                                "slow; the weights on disk stay as they are")
                      ->excludes(window)
                      ->excludes(streams)
                      ->excludes(with);
  DynamicOptions& learning = choice.dynamic_options;
  add_number(command, "--dynamic-rate", learning.rate, above(0), "size of its steps")->needs(dynamic);
  add_number(command, "--dynamic-decay", learning.decay, from_to(0, 1), "how fast weights go back to the trained ones")
      ->needs(dynamic);
  add_number(command, "--dynamic-segment", learning.segment, at_least(1), "characters from one step to the next")
      ->needs(dynamic);
}

void add_threads(CLI::App& command, std::int64_t& threads) {
  add_number(command, "--threads", threads, from_to(0, 1024), "CPU threads; 0: what is fastest");
}

CLI::Option* add_with(CLI::App& command, std::vector<std::string>& with) {
  return command
      .add_option("--with", with,
                  "average the probabilities of this network too (an ensemble); may be given several times")
      ->allow_extra_args(false)
      ->type_name("RUN|CKPT");
}

void add_text_options(CLI::App& command, TextOptions& text) {
  command
      .add_option_function<std::vector<std::string>>(
          "--stop",
          [&text](const std::vector<std::string>& stops) {
            for (const std::string& stop : stops) text.stops.push_back(unescaped(stop));
          },
          "end the text before this string; may be given several times")
      ->allow_extra_args(false)
      ->type_name("TEXT");
  command.add_flag("--until-line", text.until_line, "end the text at the end of its line");
  command.add_flag("--one-document", text.one_document, "end the text where the network ends the document");
  add_number(command, "--max-seconds", text.max_seconds, at_least(0), "end the text after this time; 0: no limit");
  add_unknown(command, text.unknown, "the prompt");
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
      command.add_option_function<std::vector<std::string>>("--" + field.flag, take, field.help)
          ->allow_extra_args(false)  // each use of the flag takes one value; a CONFIG may follow
          ->multi_option_policy(list ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast)
          ->type_name(field.placeholder())
          ->default_str(field.default_text())
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
  if (const char* level = std::getenv("CHARNN_CPU"); level != nullptr && !limit_cpu(level))
    fail_input(fmt::format("CHARNN_CPU={}", level), fmt::format("one of {}", fmt::join(cpu_levels, ", ")),
               "unset it to use all that the CPU has");
  Globals globals;
  Action action;
  CLI::App app("Trains a character-level recurrent network on any text and writes new text with it.", "charnn");
  app.set_version_flag("--version", fmt::format("charnn {} (LibTorch {})", version, torch_version()));
  app.add_flag("-q,--quiet", globals.quiet, "print nothing but results and errors");
  app.add_flag("-v,--verbose", globals.verbose, "train: a line for every record of metrics.jsonl instead of a bar");
  app.fallthrough();  // the flags above may follow the command
  app.require_subcommand(1);
  app.formatter(help_formatter());
  app.set_help_flag("-h,--help", "what a command does, and its common options");
  app.set_help_all_flag("--help-all", "all its options");
  add_train(app, globals, action, extras);
  add_sample(app, globals, action, extras);
  add_eval(app, globals, action);
  add_info(app, action);
  for (const auto& add_command : extras.commands) add_command(app, globals, action);
  app.footer(  // commands made before it do not get it
      "Exit status: 0 success, 1 failure, 2 bad usage or input, 3 training diverged, 130/143 stopped by a signal after "
      "saving.\n\nBegin with:\n  charnn init FILE.txt\n  charnn train FILE.json\n  charnn sample runs/FILE");
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (words.empty()) words = {"--help"};
  if (words[0] == "help") {  // charnn help train: charnn train --help
    words.erase(words.begin());
    const auto named = [&](const CLI::App* command) { return words.empty() || command->get_name() == words[0]; };
    if (!app.get_subcommands(named).empty()) words.emplace_back("--help");
  }
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app.parse(std::move(words));
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    refuse(app, error);
  }
  return action();
}
}  // namespace charnn::cli
