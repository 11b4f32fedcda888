#include <chrono>
#include <iostream>
#include <iterator>
#include <memory>
#include <numeric>
#include <random>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "charnn/base/error.h"
#include "charnn/base/files.h"
#include "charnn/base/terminal.h"
#include "charnn/base/thread_pool.h"
#include "charnn/cli/commands.h"
#include "charnn/cli/run_folder.h"
#include "charnn/cli/runtime.h"
#include "charnn/sample/generator.h"

namespace charnn::cli {
namespace {

struct Options {
  ModelChoice model;
  std::string prompt;
  std::string prompt_file;
  std::int64_t seed = -1;  ///< -1: a fresh one each time
  bool no_echo = false;
  bool one_document = false;
  bool raw = false;
  std::int64_t num = 1;
  std::int64_t threads = 0;
  ConfigInput config;
};

std::string prompt_of(const Options& options) {
  if (options.prompt_file.empty()) return options.prompt;
  if (options.prompt_file == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  return read_file(options.prompt_file, "prompt file");
}

/// Text on its way to stdout: at once as far as a reader can tell, but not with a system call for every
/// character. A terminal gets it made harmless, unless `raw`; a file or pipe as it is.
class Output {
 public:
  explicit Output(bool raw) : terminal_(::isatty(STDOUT_FILENO) == 1), safe_(terminal_ && !raw) {}

  bool add(std::string_view text) {
    if (!text.empty()) last_ = text.back();
    buffer_ += text;
    const Clock::time_point now = Clock::now();
    if (now - written_ < std::chrono::milliseconds(20) && buffer_.size() < (1 << 16)) return true;
    written_ = now;
    return flush();
  }
  void end() {
    flush();
    write_stdout(shown_.finish());
    // So that the shell's prompt begins on a line of its own.
    if (terminal_ && last_ != '\n') write_stdout("\n");
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool flush() {
    const std::string text = std::exchange(buffer_, {});
    return write_stdout(safe_ ? shown_.add(text) : text);
  }

  bool terminal_, safe_;
  SafeText shown_;
  std::string buffer_;
  char last_ = '\n';
  Clock::time_point written_{};
};

/// What there is to write, and how.
struct Task {
  const Stepper& stepper;
  const Vocabulary& vocabulary;
  const SampleConfig& config;
  std::vector<std::int64_t> prompt;
  std::string echo;                     ///< written before the text
  std::vector<std::int64_t> separator;  ///< of documents; may be empty
  bool one_document = false;            ///< the text ends there
  std::uint64_t seed = 0;

  UntilSeparator until() const {
    return UntilSeparator(one_document ? separator : std::vector<std::int64_t>());
  }
  std::string text(const std::vector<std::int64_t>& ids) const {
    std::string all;
    for (const std::int64_t id : ids) all += vocabulary.text(id);
    return all;
  }
};

void sample_one(const Task& task, bool raw) {
  Output output(raw);
  UntilSeparator until = task.until();
  if (!output.add(task.echo)) return;
  generate(task.stepper, task.prompt, task.separator, task.config, task.seed,
           [&](std::int64_t id) { return output.add(task.text(until.add(id))) && !until.ended(); });
  output.add(task.text(until.rest()));
  output.end();
}

/// Several texts side by side, as JSON lines.
void sample_many(const Task& task, std::int64_t count) {
  std::vector<std::uint64_t> seeds(static_cast<std::size_t>(count));
  std::iota(seeds.begin(), seeds.end(), task.seed);
  std::vector<std::string> texts(seeds.size(), task.echo);
  std::vector<UntilSeparator> until(seeds.size(), task.until());
  std::size_t unfinished = seeds.size();
  generate(task.stepper, task.prompt, task.separator, task.config, seeds,
           [&](std::size_t i, std::int64_t id) {
             if (until[i].ended()) return true;
             texts[i] += task.text(until[i].add(id));
             return !until[i].ended() || --unfinished > 0;
           });
  for (std::size_t i = 0; i < texts.size(); ++i) {
    texts[i] += task.text(until[i].rest());
    const nlohmann::ordered_json line = {{"seed", seeds[i]}, {"text", texts[i]}};
    // Bytes that are no UTF-8 cannot stand in JSON; they become U+FFFD.
    if (!write_stdout(
            line.dump(-1, ' ', ::isatty(STDOUT_FILENO) == 1, nlohmann::json::error_handler_t::replace) +
            "\n"))
      return;
  }
}

int sample(const Options& options, const Globals& globals) {
  LoadedModel loaded = load_model(options.model);
  options.config.apply(loaded.config);
  const SampleConfig& config = loaded.config.sample;
  const Vocabulary& vocabulary = loaded.checkpoint.vocabulary;
  const std::string prompt = prompt_of(options);
  const auto ids = vocabulary.encode(
      prompt, options.prompt_file.empty() ? "the prompt" : "prompt file " + options.prompt_file);
  const std::uint64_t seed =
      options.seed >= 0 ? static_cast<std::uint64_t>(options.seed) : std::random_device()();
  if (options.seed < 0 && !globals.quiet && config.temperature > 0)
    say("charnn: seed {} (give --seed {} for the same text again)", seed, seed);
  // Many texts share out the threads among them; one text's fastest number depends on the network.
  const int threads =
      options.threads == 0 && options.num > 1 ? available_cpus() : static_cast<int>(options.threads);
  const Stepper stepper(*loaded.network, config.weights, threads);
  const std::string& separator = loaded.config.data.document_separator;
  if (options.one_document && separator.empty())
    fail_input("--one-document: the network was trained on one continuous text",
               "a network that was trained with --document-separator", "leave it out, or set --length");
  const Task task{stepper,
                  vocabulary,
                  config,
                  ids.empty() ? beginning(vocabulary, separator) : ids,
                  options.no_echo ? "" : prompt,
                  vocabulary.encode(separator, "data.document_separator"),
                  options.one_document,
                  seed};
  if (options.num == 1)
    sample_one(task, options.raw);
  else
    sample_many(task, options.num);
  return 0;
}

}  // namespace

void add_sample(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("sample", "write new text with a trained network");
  add_model_choice(*command, options->model);
  auto* prompt = command->add_option("-p,--prompt", options->prompt, "text to go on from");
  command->add_option("--prompt-file", options->prompt_file, "file with the text to go on from; - for stdin")
      ->excludes(prompt)
      ->type_name("FILE|-");
  command
      ->add_option("--seed", options->seed,
                   "the same seed writes the same text; default: a new one each time")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--num", options->num,
                   "write N texts side by side, as JSON lines with their seeds (--seed and those after it); "
                   "many at once "
                   "are several times as fast")
      ->check(CLI::Range(1, 1 << 16))
      ->type_name("N");
  command->add_option("--threads", options->threads, "CPU threads; 0: what is fastest for this network")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--one-document", options->one_document,
                    "end the text where the network ends the document (data.document_separator)");
  command->add_flag(
      "--raw", options->raw,
      "send control characters to a terminal as they are, instead of writing them out as \\x1b");
  command->add_flag("--no-echo", options->no_echo, "do not print the prompt");
  add_config_flags(*command, options->config, {"sample"});
  command->callback(
      [&action, &globals, options] { action = [&globals, options] { return sample(*options, globals); }; });
}

}  // namespace charnn::cli
