#include <chrono>
#include <filesystem>
#include <memory>
#include <unistd.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/cli/training_setup.h"
#include "core/train/lr_range_test.h"
#include "extras/init/config_proposal.h"
#include "kernels/gemm.h"
#include "kernels/thread_pool.h"

namespace charnn::cli {
namespace {
using nlohmann::ordered_json;

struct Options {
  std::vector<std::string> files;
  std::string out;
  bool overwrite = false;
  bool json = false;
  double minutes = 10;
  std::int64_t threads = 0;
};

/// All that init finds out.
struct Findings {
  TextShape shape;
  TextEntropy entropy;
  std::int64_t vocabulary = 0;
  double memory_gb = 0;
  ProposalFacts facts;
  Proposal proposal;
  double loss = 0;  ///< expected, nats per character
};

/// Trains the proposed network on the text for some hundred steps, which tells its speed here and a good rate.
void measure(Findings& found, Corpus corpus) {
  const Config& config = found.proposal.config;
  const TrainingSetup setup(config, std::move(corpus), nullptr);
  const RangeTestConfig range{.steps = range_test_steps(config.train.batch_size * config.train.sequence_length)};
  const auto start = std::chrono::steady_clock::now();
  const RangeCurve curve = lr_range_test(*setup.network, *setup.adam, *setup.batcher, config.optimizer, range,
                                         [] { return StopSignals::received() != 0; });
  if (curve.stopped) return;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const std::int64_t window = std::min(config.train.sequence_length, setup.batcher->stream_length());
  found.facts.chars_per_second =
      static_cast<double>(static_cast<std::int64_t>(curve.points.size()) * window * config.train.batch_size) /
      seconds.count();
  if (const auto suggestion = suggest_lr(curve.points)) found.facts.lr = suggestion->lr;
}

Findings look(const Options& options) {
  Findings found;
  found.shape = shape_of(options.files);
  found.facts.files = options.files;
  found.facts.tokens = found.shape.utf8 ? Tokens::chars : Tokens::bytes;
  found.facts.minutes = options.minutes;
  found.facts.threads = options.threads;
  DataConfig data;
  data.files = options.files;
  data.tokens = found.facts.tokens;
  {
    const Corpus whole(data);
    found.facts.chars = whole.size();
    found.vocabulary = whole.vocabulary().size();
  }
  found.proposal = propose(found.facts);
  Corpus corpus(found.proposal.config.data);
  found.entropy = entropy_of(corpus);
  measure(found, std::move(corpus));
  found.proposal = propose(found.facts);
  found.loss = expected_loss(found.entropy.held_out, found.facts.chars);
  found.memory_gb = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e9;
  return found;
}

const char* bf16_text() {
  switch (bf16_unit()) {
    case Bf16Unit::none: return "no bf16";
    case Bf16Unit::avx512_bf16: return "bf16 by AVX-512";
    case Bf16Unit::amx: return "bf16 by AMX";
  }
  return "";
}

std::vector<std::string> summary(const Findings& f) {
  const TextEntropy& e = f.entropy;
  std::vector<std::string> lines{
      fmt::format("text     {} {}, {} bytes; {} different", f.facts.chars,
                  f.facts.tokens == Tokens::chars ? "characters (UTF-8)" : "bytes (not UTF-8)", f.shape.bytes,
                  f.vocabulary),
      fmt::format("lines    {}, {:.1f} bytes on average, the longest {}{}{}{}", f.shape.lines,
                  static_cast<double>(f.shape.bytes) / static_cast<double>(std::max<std::int64_t>(f.shape.lines, 1)),
                  f.shape.longest_line, f.shape.carriage_returns > 0 ? "; with carriage returns (Windows)" : "",
                  f.shape.nuls > 0 ? "; with NUL bytes" : "",
                  f.shape.ends_with_newline ? "" : "; no newline at the end"),
      fmt::format("entropy  {:.3f}, {:.3f}, {:.3f}, {:.3f} bits per character, knowing the 0, 1, 2, 3 before it",
                  e.bits[0], e.bits[1], e.bits[2], e.bits[3]),
      fmt::format("counted  {} characters, {} contexts of three; a 5-gram model predicts unseen text at {}", e.chars,
                  e.contexts[3], describe_loss(e.held_out)),
      fmt::format("machine  {} CPUs, {}, {:.0f} GB memory; trains this network at {:.0f} characters a second",
                  available_cpus(), bf16_text(), f.memory_gb, f.facts.chars_per_second)};
  const ModelConfig& m = f.proposal.config.model;
  lines.push_back(fmt::format("config   {} {} x {}, {} steps, learning rate {:g}", name_of(m.cell, cell_names),
                              m.layers, m.hidden, f.proposal.steps, f.proposal.config.optimizer.lr));
  lines.push_back(
      fmt::format("expect   about {} of training, then a validation loss of about {:.2f} nats/char ({:.1f} bits/char)",
                  describe_seconds(f.proposal.seconds), f.loss, bits(f.loss)));
  return lines;
}

ordered_json report(const Findings& f, const std::string& out) {
  return {{"config_file", out},
          {"bytes", f.shape.bytes},
          {"chars", f.facts.chars},
          {"tokens", name_of(f.facts.tokens, token_names)},
          {"vocabulary", f.vocabulary},
          {"lines", f.shape.lines},
          {"longest_line", f.shape.longest_line},
          {"ends_with_newline", f.shape.ends_with_newline},
          {"carriage_returns", f.shape.carriage_returns},
          {"nul_bytes", f.shape.nuls},
          {"counted_chars", f.entropy.chars},
          {"entropy_bits", f.entropy.bits},
          {"contexts", f.entropy.contexts},
          {"held_out_nats", f.entropy.held_out},
          {"cpus", available_cpus()},
          {"bf16", bf16_text()},
          {"memory_gb", f.memory_gb},
          {"chars_per_second", f.facts.chars_per_second},
          {"steps", f.proposal.steps},
          {"seconds", f.proposal.seconds},
          {"expected_nats", f.loss}};
}

int init(const Options& options, const Globals& globals) {
  const bool to_stdout = options.out == "-";
  const std::string out =
      !options.out.empty() ? options.out : std::filesystem::path(options.files[0]).stem().string() + ".json";
  if (to_stdout && options.json)
    fail_input("--json and --out -", "one of them on stdout", "name a file for the config: --out FILE");
  for (const std::string& file : options.files) {
    std::error_code none;
    if (std::filesystem::equivalent(file, out, none))
      fail_input(fmt::format("{} is the text itself", out), "another file for the config",
                 "choose one with --out FILE");
    if (find_invalid_utf8(file))
      fail_input(fmt::format("the file name {} is not UTF-8", safe_for_terminal(file)),
                 "a name that a JSON config can hold", "rename the file, or link to it");
  }
  if (!to_stdout && std::filesystem::exists(out) && !options.overwrite)
    fail_input(fmt::format("{} exists already", out), "a new file",
               "choose another with --out FILE, or replace it with --overwrite");
  const StopSignals signals;
  const Findings found = look(options);
  if (StopSignals::received() != 0) return 128 + StopSignals::received();
  const std::vector<std::string> lines = summary(found);
  const std::string text = commented_json(found.proposal, lines);
  if (to_stdout)
    write_stdout(text);
  else
    write_file(out, text);
  if (options.json) {
    if (!to_stdout) write_json(report(found, out));
    return 0;
  }
  if (globals.quiet) return 0;
  if (to_stdout)
    say("{}", fmt::join(lines, "\n"));
  else
    write_report(fmt::format("{}\nwrote {}\nnext:    charnn train {}\n", fmt::join(lines, "\n"), out, out));
  return 0;
}

void add_init_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("init", "look at a text and this machine, and write a config for them");
  command->add_option("corpus", options->files, "text files")->required()->type_name("CORPUS...");
  command->add_option("-o,--out", options->out, "config to write; -: to stdout; default: the text's name with .json")
      ->type_name("FILE");
  command->add_flag("--overwrite", options->overwrite, "replace a config that is there");
  command->add_option("--minutes", options->minutes, "time that training may take")
      ->check(CLI::Range(0.1, 100000.0))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "CPU threads to measure and train with; 0: one per core")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--json", options->json, "print what was found as JSON");
  on_chosen(command, action, [options, &globals] { return init(*options, globals); });
}
}  // namespace

void add_init(Extras& extras) { extras.commands.emplace_back(add_init_command); }
}  // namespace charnn::cli
