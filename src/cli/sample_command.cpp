#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <unistd.h>

#include <fmt/format.h>

#include "charnn/base/error.h"
#include "charnn/base/files.h"
#include "charnn/cli/commands.h"
#include "charnn/cli/run_folder.h"
#include "charnn/cli/runtime.h"
#include "charnn/sample/generator.h"

namespace charnn::cli {
namespace {

struct Options {
  std::string model;
  std::string checkpoint = "best";
  std::string prompt;
  std::string prompt_file;
  std::int64_t seed = -1;  ///< -1: a fresh one each time
  bool no_echo = false;
  ConfigInput config;
};

std::string prompt_of(const Options& options) {
  if (options.prompt_file.empty()) return options.prompt;
  if (options.prompt_file == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  return read_file(options.prompt_file, "prompt file");
}

int sample(const Options& options, const Globals& globals) {
  LoadedModel loaded = load_model(options.model, options.checkpoint);
  options.config.apply(loaded.config);
  const Vocabulary& vocabulary = loaded.checkpoint.vocabulary;
  const std::string prompt = prompt_of(options);
  const auto ids = vocabulary.encode(
      prompt, options.prompt_file.empty() ? "the prompt" : "prompt file " + options.prompt_file);
  const std::uint64_t seed =
      options.seed >= 0 ? static_cast<std::uint64_t>(options.seed) : std::random_device()();
  if (options.seed < 0 && !globals.quiet && loaded.config.sample.temperature > 0)
    fmt::print(stderr, "charnn: seed {} (give --seed {} for the same text again)\n", seed, seed);
  const Stepper stepper(*loaded.network);
  if (!options.no_echo && !write_stdout(prompt)) return 0;
  std::string last = prompt;
  generate(stepper, vocabulary, ids, loaded.config.sample, seed, [&](std::int64_t id) {
    last = vocabulary.text(id);
    return write_stdout(last);
  });
  // So that the shell's prompt begins on a line of its own; a file or pipe gets the text alone.
  if (::isatty(STDOUT_FILENO) == 1 && !last.empty() && last.back() != '\n') write_stdout("\n");
  return 0;
}

}  // namespace

void add_sample(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("sample", "write new text with a trained network");
  command->add_option("model", options->model, "run folder or checkpoint file")
      ->required()
      ->type_name("RUN|CKPT");
  auto* prompt = command->add_option("-p,--prompt", options->prompt, "text to go on from");
  command->add_option("--prompt-file", options->prompt_file, "file with the text to go on from; - for stdin")
      ->excludes(prompt)
      ->type_name("FILE|-");
  command
      ->add_option("--seed", options->seed,
                   "the same seed writes the same text; default: a new one each time")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--checkpoint", options->checkpoint, "of a run folder: best or last")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
  command->add_flag("--no-echo", options->no_echo, "do not print the prompt");
  add_config_flags(*command, options->config, {"sample"});
  command->callback(
      [&action, &globals, options] { action = [&globals, options] { return sample(*options, globals); }; });
}

}  // namespace charnn::cli
