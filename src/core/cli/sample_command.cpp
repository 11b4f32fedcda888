#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/terminal.h"
#include "core/cli/commands.h"
#include "core/cli/run_text.h"
#include "core/cli/runtime.h"
#include "core/cli/text_output.h"
#include "core/sample/beam_search.h"
#include "extras/interactive/interactive.h"
#include "extras/report/copied.h"
#include "extras/report/perplexity.h"

namespace charnn::cli {
namespace {

struct Options {
  ModelChoice model;
  TextOptions text;
  std::string prompt_file;
  std::int64_t seed = -1;  ///< -1: a fresh one each time
  bool no_echo = false;
  bool raw = false;
  bool interactive = false;
  bool report = false;
  std::vector<std::string> report_files;
  std::int64_t num = 1;
  std::string folder;
  std::int64_t threads = 0;
  ConfigInput config;
};

/// A text that has been written.
struct Written {
  std::uint64_t seed = 0;
  std::vector<std::int64_t> ids;  ///< without the prompt
};

void read_prompt(Options& options) {
  if (options.prompt_file.empty()) return;
  options.text.prompt_name = "prompt file " + options.prompt_file;
  options.text.prompt = options.prompt_file == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                                   : read_file(options.prompt_file, "prompt file");
}

/// The likeliest text; there is no chance in it.
std::vector<std::int64_t> search(const TextMaker& maker, const TextOrder& order) {
  const Deadline deadline(order.max_seconds);
  return beam_search(maker.stepper(), order.prompt, maker.separator(), order.stops, *order.sampler,
                     [&] { return !deadline.passed(); })
      .ids;
}

/// Writes one text to stdout while it is made.
Written sample_one(const TextMaker& maker, const TextOrder& order, std::uint64_t seed, const Options& options) {
  Written written{seed, {}};
  TextOutput output(options.raw);
  const auto show = [&](const std::vector<std::int64_t>& ids) {
    written.ids.insert(written.ids.end(), ids.begin(), ids.end());
    return output.add(maker.text(ids));
  };
  if (!options.no_echo && !output.add(order.shown_prompt)) return written;
  if (order.sampler->config().beams > 1) {
    show(search(maker, order));
  } else {
    maker.write(order, seed, show, [] { return true; });
  }
  output.end();
  return written;
}

/// Writes several texts side by side.
std::vector<Written> sample_many(const TextMaker& maker, const TextOrder& order, std::uint64_t seed,
                                 std::int64_t count) {
  std::vector<Written> all(static_cast<std::size_t>(count));
  std::vector<UntilStop> until(all.size(), UntilStop(order.stops));
  Generator generator(maker.stepper(), maker.separator());
  const Deadline deadline(order.max_seconds);
  const auto show = [&](std::size_t i, const std::vector<std::int64_t>& ids) {
    all[i].ids.insert(all[i].ids.end(), ids.begin(), ids.end());
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].seed = seed + i;
    generator.add({order.prompt, order.sampler, order.sampler->config().length, all[i].seed, [&, i](std::int64_t id) {
                     show(i, until[i].add(id));
                     return !until[i].ended();
                   }});
  }
  while (!generator.idle() && !deadline.passed()) generator.step();
  for (std::size_t i = 0; i < all.size(); ++i) show(i, until[i].rest());
  return all;
}

/// What --report tells of a text.
class Report {
 public:
  Report(const TextMaker& maker, const TextOrder& order, const std::vector<std::string>& files)
      : maker_(maker), order_(order), corpus_(open_text_of(maker.model(), files)) {}

  nlohmann::ordered_json of(const Written& written) const {
    const CopyReport copies = find_copies(written.ids, corpus_);
    const double nats = nats_per_symbol(*maker_.model().network, order_.prompt, written.ids, maker_.separator());
    nlohmann::ordered_json report = {{"chars", written.ids.size()},
                                     {"perplexity", std::exp(nats)},
                                     {"bits_per_char", nats / std::log(2.0)},
                                     {"longest_copy", copies.longest},
                                     {"longest_copy_text", text_at(written, copies)}};
    for (std::size_t i = 0; i < copies.lengths.size(); ++i)
      report[fmt::format("copied_{}_grams", copies.lengths[i])] = copies.shares[i];
    return report;
  }

  /// The same for a person.
  void say_of(const Written& written) const {
    const nlohmann::ordered_json report = of(written);
    say("charnn: {} characters, perplexity {:.3f} by the network's own measure", written.ids.size(),
        report["perplexity"].get<double>());
    say("  longest stretch that stands in the corpus: {} characters, \"{}\"",
        report["longest_copy"].get<std::int64_t>(), on_one_line(report["longest_copy_text"].get<std::string>()));
    for (const std::int64_t length : CopyReport::lengths)
      if (const double share = report[fmt::format("copied_{}_grams", length)].get<double>(); !std::isnan(share))
        say("  of its stretches of {:2} characters, {:5.1f} % stand in the corpus", length, 100 * share);
  }

 private:
  std::string text_at(const Written& written, const CopyReport& copies) const {
    const auto begin = written.ids.begin() + copies.longest_in_text;
    return maker_.text({begin, begin + copies.longest});
  }

  const TextMaker& maker_;
  const TextOrder& order_;
  Corpus corpus_;
};

/// A file for each text.
std::string file_of(const std::string& folder, std::uint64_t seed) {
  return fmt::format("{}/sample-{}.txt", folder, seed);
}

void require_free(const std::string& folder, std::uint64_t seed, std::int64_t count) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder))
    fail_input(fmt::format("folder {}: {}", folder, error ? error.message() : "a file of that name is in the way"),
               "a folder that can be made and written to", "choose another with --files DIR");
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(count); ++i)
    if (const std::string file = file_of(folder, seed + i); std::filesystem::exists(file))
      fail_input(file + " exists already", "a new file for each text",
                 "remove it, or choose another folder (--files) or --seed");
}

void write_all(const TextMaker& maker, const std::vector<Written>& all, const std::string& prompt, const Report* report,
               const std::string& folder) {
  for (const Written& written : all) {
    const std::string text = prompt + maker.text(written.ids);
    if (!folder.empty()) {
      write_file(file_of(folder, written.seed), text);
      if (report != nullptr) report->say_of(written);
      continue;
    }
    nlohmann::ordered_json line = {{"seed", written.seed}, {"text", text}};
    if (report != nullptr) line["report"] = report->of(written);
    // Bytes that are no UTF-8 cannot stand in JSON; they become U+FFFD.
    if (!write_stdout(line.dump(-1, ' ', ::isatty(STDOUT_FILENO) == 1, nlohmann::json::error_handler_t::replace) +
                      "\n"))
      return;
  }
}

void refuse_contradictions(const Options& options) {
  if (options.text.config.beams > 1 && options.num > 1)
    fail_input("--beams and --num: a search finds one text, the same each time", "one of them",
               "leave one of them out");
  if (options.interactive && (options.num > 1 || !options.folder.empty() || options.report || options.no_echo ||
                              !options.prompt_file.empty() || !options.text.prompt.empty()))
    fail_input("--interactive with --prompt, --prompt-file, --no-echo, --num, --files or --report",
               "texts that are typed and shown one after another", "leave them out");
}

int sample(Options options, const Globals& globals) {
  LoadedModel loaded = load_model(options.model);
  options.config.apply(loaded.config);
  SampleConfig& config = options.text.config = loaded.config.sample;
  refuse_contradictions(options);
  read_prompt(options);
  const StepWeights weights = config.weights;
  const TextMaker maker(std::move(loaded), weights, options.threads, options.num > 1 || config.beams > 1);
  const std::uint64_t seed = options.seed >= 0 ? static_cast<std::uint64_t>(options.seed) : std::random_device()();
  if (options.interactive) return interact(maker, options.text, seed, options.raw);

  const TextOrder order = maker.order(options.text);
  if (!options.folder.empty()) require_free(options.folder, seed, options.num);
  std::optional<Report> report;
  if (options.report) report.emplace(maker, order, options.report_files);
  if (!order.note.empty()) say("charnn: {}", order.note);
  if (options.seed < 0 && !globals.quiet && config.temperature > 0 && config.beams == 1)
    say("charnn: seed {} (give --seed {} for the same text again)", seed, seed);
  if (options.num == 1 && options.folder.empty()) {
    const Written written = sample_one(maker, order, seed, options);
    if (report) report->say_of(written);
    return 0;
  }
  const auto all = config.beams > 1 ? std::vector<Written>{{seed, search(maker, order)}}
                                    : sample_many(maker, order, seed, options.num);
  write_all(maker, all, options.no_echo ? "" : order.shown_prompt, report ? &*report : nullptr, options.folder);
  return 0;
}

}  // namespace

void add_text_options(CLI::App& command, TextOptions& text) {
  command
      .add_option("--stop", text.stops,
                  "end the text before this text; may be given several times, the first that comes ends it")
      ->allow_extra_args(false)
      ->type_name("TEXT");
  command.add_flag("--until-line", text.until_line, "end the text at the end of its line");
  command.add_flag("--one-document", text.one_document,
                   "end the text where the network ends the document (data.document_separator)");
  command.add_option("--max-seconds", text.max_seconds, "end the text after this time; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->type_name("S");
  command
      .add_option_function<std::string>(
          "--unknown",
          [&text](const std::string& name) {
            text.unknown = static_cast<OnUnknown>(std::find(on_unknown_names.begin(), on_unknown_names.end(), name) -
                                                  on_unknown_names.begin());
          },
          "characters of the prompt that the network does not know: refuse them (error), leave them out (skip), or put "
          "a space in their place (replace)")
      ->check(CLI::IsMember(std::vector<std::string>(on_unknown_names.begin(), on_unknown_names.end())));
}

void add_sample(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("sample", "write new text with a trained network");
  add_model_choice(*command, options->model);
  auto* prompt = command->add_option("-p,--prompt", options->text.prompt, "text to go on from");
  command->add_option("--prompt-file", options->prompt_file, "file with the text to go on from; - for stdin")
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
  command->add_flag("-i,--interactive", options->interactive,
                    "type beginnings, get continuations; :help there tells more");
  auto* report = command->add_flag("--report", options->report,
                                   "tell how much of the text is copied from the corpus, and its perplexity");
  command
      ->add_option("--report-data", options->report_files, "text to look for copies in; default: the run's own corpus")
      ->allow_extra_args(false)
      ->needs(report)
      ->type_name("FILE");
  command->add_option("--threads", options->threads, "CPU threads; 0: what is fastest for this network")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--raw", options->raw,
                    "send control characters to a terminal as they are, instead of writing them out as \\x1b");
  command->add_flag("--no-echo", options->no_echo, "do not print the prompt");
  add_config_flags(*command, options->config, {"sample"});
  command->callback(
      [&action, &globals, options] { action = [&globals, options] { return sample(*options, globals); }; });
}

}  // namespace charnn::cli
