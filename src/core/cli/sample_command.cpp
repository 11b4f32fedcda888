#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <unistd.h>
#include <utility>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/cli/text_output.h"
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

/// The most likely text; there is no chance in it.
std::vector<std::int64_t> search(TextMaker& maker, const TextJob& job) {
  const auto start = std::chrono::steady_clock::now();
  return beam_search(maker.stepper(), job.prompt, maker.separator(), job.stops, *job.sampler,
                     [&] {
                       const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
                       return job.max_seconds == 0 || passed.count() < job.max_seconds;
                     })
      .ids;
}

/// Writes one text to stdout while it is made.
WrittenText sample_one(TextMaker& maker, const PreparedText& prepared, std::uint64_t seed,
                       const SampleOptions& options) {
  WrittenText written{seed, {}};
  TextOutput output(options.raw);
  if (!options.no_echo && !output.add(prepared.shown_prompt)) return written;
  if (options.text.config.beams > 1) {
    written.ids = search(maker, prepared.job);
    output.add(maker.text(written.ids));
  } else {
    TextJob job = prepared.job;
    job.seed = seed;
    job.on_text = [&](const TextPiece& piece) {
      written.ids.insert(written.ids.end(), piece.ids.begin(), piece.ids.end());
      return output.add(piece.text);
    };
    Generator generator = maker.generator();
    generate(generator, std::move(job));
  }
  output.end();
  return written;
}

/// Writes several texts side by side.
std::vector<WrittenText> sample_many(TextMaker& maker, const PreparedText& prepared, std::uint64_t seed,
                                     std::int64_t count) {
  std::vector<WrittenText> all(static_cast<std::size_t>(count));
  Generator generator = maker.generator();
  for (std::size_t i = 0; i < all.size(); ++i) {
    TextJob job = prepared.job;
    all[i].seed = job.seed = seed + i;
    job.on_text = [&ids = all[i].ids](const TextPiece& piece) {
      ids.insert(ids.end(), piece.ids.begin(), piece.ids.end());
      return true;
    };
    generator.add(std::move(job));
  }
  while (!generator.idle()) generator.step();
  return all;
}

/// A file for each text.
std::string file_of(const std::string& folder, std::uint64_t seed) {
  return fmt::format("{}/sample-{}.txt", folder, seed);
}

void require_free(const std::string& folder, std::uint64_t seed, std::int64_t count) {
  make_folder(folder, "folder", "--files");
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(count); ++i)
    if (const std::string file = file_of(folder, seed + i); std::filesystem::exists(file))
      fail_input(file + " exists already", "a new file for each text",
                 "remove it, or choose another folder (--files) or --seed");
}

void write_all(const TextMaker& maker, const std::vector<WrittenText>& all, const std::string& prompt,
               const SampleExtras& extras, const std::string& folder) {
  for (const WrittenText& written : all) {
    const std::string text = prompt + maker.text(written.ids);
    if (!folder.empty()) {
      write_file(file_of(folder, written.seed), text);
      for (const auto& extra : extras) extra->say_of(written);
      continue;
    }
    nlohmann::ordered_json line = {{"seed", written.seed}, {"text", text}};
    for (const auto& extra : extras) extra->add_to(line, written);
    // Bytes that are not UTF-8 cannot stand in JSON; they become U+FFFD.
    if (!write_stdout(line.dump(-1, ' ', ::isatty(STDOUT_FILENO) == 1, nlohmann::json::error_handler_t::replace) +
                      "\n"))
      return;
  }
}

int sample(SampleOptions options, const SampleExtras& extras, const Globals& globals) {
  LoadedModel loaded = load_model(options.model);
  options.config.apply(loaded.config);
  const SampleConfig& config = options.text.config = loaded.config.sample;
  if (config.beams > 1 && options.num > 1)
    fail_input("--beams and --num: a search finds one text, the same each time", "one of them",
               "leave one of them out");
  read_prompt(options);
  const StepWeights weights = config.weights;
  TextMaker maker(std::move(loaded), weights, options.threads, options.num > 1 || config.beams > 1);
  const std::uint64_t seed = options.seed >= 0 ? static_cast<std::uint64_t>(options.seed) : std::random_device()();
  for (const auto& extra : extras)
    if (const auto status = extra->take_over(maker, options, seed)) return *status;
  const PreparedText prepared = maker.prepare(options.text);
  if (!options.folder.empty()) require_free(options.folder, seed, options.num);
  for (const auto& extra : extras) extra->begin(maker, prepared);
  if (!prepared.note.empty()) say("charnn: {}", prepared.note);
  if (options.seed < 0 && !globals.quiet && config.temperature > 0 && config.beams == 1)
    say("charnn: seed {} (give --seed {} for the same text again)", seed, seed);
  if (options.num == 1 && options.folder.empty()) {
    const WrittenText written = sample_one(maker, prepared, seed, options);
    for (const auto& extra : extras) extra->say_of(written);
    return 0;
  }
  const auto all = config.beams > 1 ? std::vector<WrittenText>{{seed, search(maker, prepared.job)}}
                                    : sample_many(maker, prepared, seed, options.num);
  write_all(maker, all, options.no_echo ? "" : prepared.shown_prompt, extras, options.folder);
  return 0;
}
}  // namespace

void add_sample(CLI::App& app, const Globals& globals, Action& action, const Extras& extras) {
  auto options = std::make_shared<SampleOptions>();
  CLI::App* command = app.add_subcommand("sample", "write new text with a trained network");
  add_model_choice(*command, options->model);
  auto* prompt = command->add_option("-p,--prompt", options->text.prompt, "text to continue");
  command->add_option("--prompt-file", options->prompt_file, "file with the text to continue; - for stdin")
      ->excludes(prompt)
      ->type_name("FILE|-");
  command->add_option("--seed", options->seed, "the same seed writes the same text; default: a new one each time")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--num", options->num,
                   "write N texts side by side, as JSON lines with their seeds (--seed and those after it); many at "
                   "once are several times as fast")
      ->check(CLI::Range(1, 1 << 16))
      ->type_name("N");
  command
      ->add_option("--files", options->folder, "write each text to a file of its own in this folder, sample-SEED.txt")
      ->type_name("DIR");
  add_text_options(*command, options->text);
  command->add_option("--threads", options->threads, "CPU threads; 0: what is fastest for this network")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--raw", options->raw,
                    "send control characters to a terminal as they are, instead of writing them out as \\x1b");
  command->add_flag("--no-echo", options->no_echo, "do not print the prompt");
  auto parts = std::make_shared<SampleExtras>();
  for (const auto& make : extras.sample) parts->push_back(make());
  for (const auto& part : *parts) part->add_options(*command);
  add_config_flags(*command, options->config, {"sample"});
  on_chosen(command, action, [options, parts, &globals] { return sample(*options, *parts, globals); });
}
}  // namespace charnn::cli
