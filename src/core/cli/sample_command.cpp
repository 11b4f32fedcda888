#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <unistd.h>
#include <utility>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/io/json_config.h"
#include "core/sample/beam_search.h"

namespace charnn::cli {
namespace {
using SampleExtras = std::vector<std::unique_ptr<SampleExtra>>;

void read_prompt(SampleOptions& options) {
  if (options.prompt_file.empty()) return;
  options.text.prompt_name = "prompt file " + options.prompt_file;
  options.text.prompt = options.prompt_file == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                                   : read_file(options.prompt_file, "prompt file");
}

/// The most likely text.
std::vector<std::int64_t> search(TextMaker& maker, const TextJob& job) {
  const auto start = std::chrono::steady_clock::now();
  const auto in_time = [&] {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    return job.max_seconds == 0 || passed.count() < job.max_seconds;
  };
  return beam_search(maker.stepper(), job.prompt, maker.separator(), job.stops, *job.sampler, in_time).ids;
}

/// Writes `count` texts in parallel; `live`, unless null, receives the text as it is written.
std::vector<WrittenText> write_texts(TextMaker& maker, const PreparedText& prepared, const SampleOptions& options,
                                     std::uint64_t seed, std::int64_t count, TextOutput* live) {
  if (options.text.config.beams > 1) {
    std::vector<WrittenText> best{{seed, search(maker, prepared.job)}};
    if (std::ssize(best[0].ids) < prepared.job.length) best[0].end = TextEnd::stop;
    if (live != nullptr) live->add(maker.text(best[0].ids));
    return best;
  }
  std::vector<WrittenText> all(static_cast<std::size_t>(count));
  Generator generator = maker.generator();
  for (WrittenText& written : all) {
    TextJob job = prepared.job;
    written.seed = job.seed = seed++;
    job.on_text = [&ids = written.ids, live](const TextPiece& piece) {
      ids.insert(ids.end(), piece.ids.begin(), piece.ids.end());
      return live == nullptr || live->add(piece.text);
    };
    generator.add(std::move(job));
  }
  while (!generator.idle())
    for (const Generator::Ended& ended : generator.step()) all[static_cast<std::size_t>(ended.number)].end = ended.end;
  return all;
}

std::string file_of(const std::string& folder, std::uint64_t seed) {
  return fmt::format("{}/sample-{}.txt", folder, seed);
}

void require_free(const std::string& folder, std::uint64_t seed, std::int64_t count) {
  make_folder(folder, "folder", "--files");
  for (; count > 0; --count, ++seed)
    if (const std::string file = file_of(folder, seed); std::filesystem::exists(file))
      fail_input(file + " exists already", "a new file for each text",
                 "remove it, or choose another folder (--files) or --seed");
}

/// Writes the text to stdout as a JSON line. Returns false if the reader has gone.
bool write_line(const WrittenText& written, const std::string& text, const SampleExtras& extras) {
  nlohmann::ordered_json line = {{"seed", written.seed}};
  put_text(line, "text", text);
  line["end"] = name_of(written.end, text_end_names);
  for (const auto& extra : extras) extra->add_to(line, written);
  const bool ascii = ::isatty(STDOUT_FILENO) == 1;
  return write_stdout(line.dump(-1, ' ', ascii, nlohmann::json::error_handler_t::replace) + "\n");
}

/// Writes as many texts as are asked for, of those that the extras accept, until the reader of stdout has gone.
void write_all(TextMaker& maker, const PreparedText& prepared, const SampleOptions& options, std::uint64_t seed,
               const SampleExtras& extras) {
  const std::string shown_prompt = options.no_echo ? "" : prepared.shown_prompt;
  const bool live = options.num == 1 && options.folder.empty() && !options.json;
  const bool plain = !options.json && options.folder.empty() && ::isatty(STDOUT_FILENO) == 1;
  TextOutput output(options.raw);
  if (live && !output.add(shown_prompt)) return;
  std::int64_t accepted = 0;
  constexpr std::int64_t most_tries = 20;  // for each text wanted
  for (std::uint64_t next = seed; accepted < options.num && next < seed + options.num * most_tries;) {
    const std::int64_t count = std::min<std::int64_t>(options.num - accepted, 1 << 12);
    const std::vector<WrittenText> all = write_texts(maker, prepared, options, next, count, live ? &output : nullptr);
    next += static_cast<std::uint64_t>(count);
    if (live) output.end(/*whole=*/all[0].end == TextEnd::stop);
    for (const WrittenText& written : all) {
      const std::string text = shown_prompt + maker.text(written.ids);
      const auto accepts = [&](const auto& extra) { return extra->accepts(text); };
      if (!live && !std::all_of(extras.begin(), extras.end(), accepts)) continue;
      ++accepted;
      if (plain && !live) {
        TextOutput one(options.raw);
        if (!one.add(text)) return;
        one.end(/*whole=*/true);
      } else if (!live && options.folder.empty()) {
        if (!write_line(written, text, extras)) return;
        continue;
      } else if (!live) {
        write_file(file_of(options.folder, written.seed), text);
      }
      for (const auto& extra : extras) extra->say_of(written);
    }
  }
  if (accepted < options.num)
    say("charnn: only {} of {} such texts in {} tries", accepted, options.num, options.num * most_tries);
}

int sample(SampleOptions options, const SampleExtras& extras, const Globals& globals) {
  std::vector<LoadedModel> models = load_models(options.model, options.with);
  LoadedModel& loaded = models[0];
  options.config.apply(loaded.config);
  const SampleConfig& config = options.text.config = loaded.config.sample;
  if (config.beams > 1 && options.num > 1)
    fail_input("--beams with --num: beam search finds a single text", "one of them", "leave one of them out");
  if (config.beams > 1 && models.size() > 1)
    fail_input("--beams with --with: beam search takes one network", "one of them", "leave one of them out");
  read_prompt(options);
  if (options.adapt > 0) adapt(loaded, options.text, options.adapt);
  const StepWeights weights = config.weights;
  TextMaker maker(std::move(loaded), weights, options.threads, options.num > 1 || config.beams > 1);
  for (std::size_t i = 1; i < models.size(); ++i) maker.average_with(models[i]);
  const std::uint64_t seed = options.seed >= 0 ? static_cast<std::uint64_t>(options.seed) : std::random_device()();
  for (const auto& extra : extras)
    if (const auto status = extra->take_over(maker, options, seed)) return *status;
  const PreparedText prepared = maker.prepare(options.text);
  if (!options.folder.empty()) require_free(options.folder, seed, options.num);
  for (const auto& extra : extras) extra->begin(maker, prepared);
  if (!prepared.note.empty()) say("charnn: {}", prepared.note);
  if (options.seed < 0 && !globals.quiet && config.temperature > 0 && config.beams == 1)
    say("charnn: seed {} (give --seed {} for the same text again)", seed, seed);
  write_all(maker, prepared, options, seed, extras);
  return 0;
}
}  // namespace

void add_sample(CLI::App& app, const Globals& globals, Action& action, const Extras& extras) {
  auto options = std::make_shared<SampleOptions>();
  CLI::App* command = app.add_subcommand("sample", "write new text with a trained network");
  add_model_choice(*command, options->model);
  auto* prompt = command->add_option_function<std::string>(
      "-p,--prompt", [options](const std::string& typed) { options->text.prompt = unescaped(typed); },
      "text to continue; \\n stands for a line break, here and in all texts on the command line");
  command->add_option("--prompt-file", options->prompt_file, "file with the text to continue; - for stdin")
      ->excludes(prompt)
      ->type_name("FILE|-");
  add_number(*command, "--seed", options->seed, at_least(0),
             "the same seed writes the same text; default: a random one");
  add_number(*command, "--num", options->num, from_to(1, 1 << 16),
             "write N texts in parallel (seeds from --seed up), several times as fast as one by one: plain on a "
             "terminal, as JSON lines in a pipe");
  command->add_flag("--json", options->json,
                    "JSON lines, with the seed and how each text ended; the default of --num in a pipe");
  command->add_option("--files", options->folder, "write each text to a file sample-SEED.txt in this folder")
      ->type_name("DIR");
  add_text_options(*command, options->text);
  auto* with = add_with(*command, options->with);
  add_number(*command, "--adapt", options->adapt, from_to(1, 1000),
             "first learn from the prompt, in N passes, then write in its vein (see eval --dynamic); the weights on "
             "disk stay as they are")
      ->excludes(with);
  add_threads(*command, options->threads);
  command->add_flag("--raw", options->raw, "send control characters to a terminal unchanged, not escaped (\\x1b)");
  command->add_flag("--no-echo", options->no_echo, "do not print the prompt");
  auto parts = std::make_shared<SampleExtras>();
  for (const auto& make : extras.sample) {
    parts->push_back(make());
    parts->back()->add_options(*command);
  }
  add_config_flags(*command, options->config, {"sample"});
  on_chosen(command, action, [options, parts, &globals] { return sample(*options, *parts, globals); });
}
}  // namespace charnn::cli
