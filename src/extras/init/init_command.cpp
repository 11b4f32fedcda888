#include <algorithm>
#include <cmath>
#include <filesystem>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/cli/training_setup.h"
#include "core/data/text_files.h"
#include "core/model/torch_runtime.h"
#include "core/train/trainer.h"
#include "extras/init/config_proposal.h"
#include "extras/init/text_statistics.h"
#include "kernels/gemm.h"
#include "kernels/thread_pool.h"

namespace charnn::cli {
namespace {
constexpr std::array<const char*, 3> bf16_texts{"no bf16", "bf16 by AVX-512", "bf16 by AMX"};

struct InitOptions {
  ProposalFacts facts;
  std::string out;
  bool overwrite = false;
  bool json = false;
};

struct Findings {
  TextShape shape;
  TextEntropy entropy;
  std::string note;  ///< of the corpus
  std::int64_t vocabulary = 0;
  double memory_gb = 0;
  Device device = Device::cpu;  ///< that training takes
  ProposalFacts facts;
  Proposal proposal;
};

/// A network to try out on a text that stays open for others.
struct Trial {
  Trial(const Config& config, const Corpus& corpus)
      : network(config.model, (seed_generators(1), corpus.vocabulary().size()), prepare_device(config.train.device)),
        adam(network, config.optimizer),
        batcher(corpus, corpus.train(), config.train.batch_size, config.train.sequence_length) {
    network.configure({.training = config.train.precision,
                       .evaluation = config.train.precision,
                       .threads = training_threads(config.train, config.model, corpus.vocabulary().size())});
  }
  Network network;
  Adam adam;
  Batcher batcher;
};

/// Characters a second in training as `config` says, from a few steps.
double speed_of(const Config& config, const Corpus& corpus) {
  Trial trial(config, corpus);
  auto& [network, adam, batcher] = trial;
  State state = network.zero_state(config.train.batch_size);
  Clock::time_point start = Clock::now();
  double chars = 0;
  for (int step = 0; step < 3 || (step < 50 && seconds_since(start) < 1); ++step) {
    const Batch batch = batcher.next();
    const double loss = network.train_window(batch, state);
    const Scalar norm = adam.gradient_norm();
    adam.step(0, norm, not_finite(loss, norm));
    if (step == 0)
      start = Clock::now();  // the first one allocates
    else
      chars += static_cast<double>(batch.input.size());
  }
  return chars / seconds_since(start);
}

/// The progress of a training, for `tell`.
class Percent : public Sink {
 public:
  explicit Percent(std::function<void(std::int64_t)> tell) : tell_(std::move(tell)) {}
  void step(const StepInfo& s) override { tell_(100 * s.step / s.last_step); }

 private:
  std::function<void(std::int64_t)> tell_;
};

/// See loss_law.h. Nothing if stopped.
std::optional<double> yardstick_loss(const ProposalFacts& facts, std::size_t size, const Corpus& corpus, Sink& sink) {
  Config config = propose(facts, size).config;
  constexpr std::int64_t most_passes = 50;  // of a text of a few pages; the law is no good there anyway
  const std::int64_t text = corpus.train().size(), chars = std::min(yardstick_chars, most_passes * text);
  config.model.dropout = suitable_dropout(network_sizes[size], static_cast<double>(chars) / static_cast<double>(text));
  config.model.dropout_mask = DropoutMask::window;
  config.schedule.warmup_steps = ScheduleConfig().warmup_steps;
  TrainConfig& train = config.train;
  train.max_steps = std::max<std::int64_t>(1, chars / (train.batch_size * train.sequence_length));
  train.epochs = train.eval_every = train.checkpoint_every = 0;
  train.max_minutes = 0;
  train.eval_max_chars = 200'000;
  Trial trial(config, corpus);
  Group alone;
  Trainer trainer({.train = train,
                   .optimizer = config.optimizer,
                   .schedule = config.schedule,
                   .network = trial.network,
                   .adam = trial.adam,
                   .batcher = trial.batcher,
                   .corpus = corpus,
                   .group = alone,
                   .sinks = {&sink},
                   .stop = [] { return StopSignals::received(); }});
  trainer.run();
  return trainer.state().best_loss;
}

Findings investigate(const ProposalFacts& facts, bool quiet) {
  Progress progress(/*after=*/0);
  const auto show = [&](const std::string& what) {
    if (!quiet) progress.show(what);
  };
  show("reading the text");
  Findings found;
  found.shape = shape_of(find_text_files(facts.files, Tokens::chars).paths);
  found.facts = facts;
  found.facts.list = found.shape.is_list();
  found.facts.windows = found.shape.ends_lines_as_windows();
  found.facts.sorted = found.shape.is_sorted();
  found.device = prepare_device(DeviceChoice::automatic);
  DataConfig data;
  data.files = facts.files;
  data.tokens = found.facts.tokens = found.shape.utf8 ? Tokens::chars : Tokens::bytes;
  found.facts.chars = Corpus(data).size();
  found.proposal = propose(found.facts);
  const Corpus corpus(found.proposal.config.data);
  found.note = corpus.note();
  found.vocabulary = corpus.vocabulary().size();
  found.entropy = entropy_of(corpus);
  found.facts.yardsticks.counting = found.entropy.held_out;
  found.memory_gb = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e9;
  const auto name = [](std::size_t size) {
    return fmt::format("{} x {}", network_sizes[size].layers, network_sizes[size].hidden);
  };
  for (std::size_t i = 0; i < found.facts.yardsticks.networks.size() && StopSignals::received() == 0; ++i) {
    Percent percent([&](std::int64_t done) { show(fmt::format("training {} for a moment, {} %", name(i), done)); });
    found.facts.yardsticks.networks[i] = yardstick_loss(found.facts, i, corpus, percent).value_or(0);
  }
  for (std::size_t size = 0; size < network_sizes.size() && StopSignals::received() == 0; ++size) {
    show("measuring the speed of " + name(size));
    found.facts.speeds[size] = speed_of(propose(found.facts, size).config, corpus);
  }
  found.proposal = propose(found.facts);
  return found;
}

std::vector<std::string> summary(const Findings& f) {
  const TextShape& shape = f.shape;
  const TextEntropy& e = f.entropy;
  const ModelConfig& m = f.proposal.config.model;
  return {
      fmt::format("text     {} {}, {} bytes; {} distinct", f.facts.chars,
                  shape.utf8 ? "characters (UTF-8)" : "bytes (not UTF-8)", shape.bytes, f.vocabulary),
      fmt::format("lines    {}, {:.1f} bytes on average, the longest {}{}{}{}", shape.lines,
                  static_cast<double>(shape.bytes) / static_cast<double>(std::max<std::int64_t>(shape.lines, 1)),
                  shape.longest_line,
                  shape.carriage_returns == 0     ? ""
                  : shape.ends_lines_as_windows() ? "; with carriage returns (Windows)"
                                                  : "; with carriage returns",
                  shape.nuls > 0 ? "; with NUL bytes" : "", shape.ends_with_newline ? "" : "; no trailing newline"),
      fmt::format("kind     {}{}",
                  f.facts.list ? "a list: each line becomes a document, in a random order" : "one text",
                  f.facts.sorted ? "; the lines are sorted" : ""),
      fmt::format("entropy  {:.3f}, {:.3f}, {:.3f}, {:.3f} bits per character, given the 0, 1, 2, 3 before it",
                  e.bits[0], e.bits[1], e.bits[2], e.bits[3]),
      fmt::format("counted  {} characters, {} contexts of three; a 5-gram model predicts unseen text at {}", e.chars,
                  e.contexts[3], describe_loss(e.held_out)),
      fmt::format("machine  {} CPUs, {}, {:.0f} GB memory; trains this network{} at {:.0f} characters per second",
                  available_cpus(), bf16_is_fast() ? name_of(bf16_unit(), bf16_texts) : "no fast bf16", f.memory_gb,
                  f.device == Device::cuda ? " on a GPU" : "", f.proposal.chars_per_second),
      fmt::format("config   {} {} x {}, about {} steps, learning rate {:g}, dropout {:g}", name_of(m.cell, cell_names),
                  m.layers, m.hidden, f.proposal.steps, f.proposal.config.optimizer.lr, m.dropout),
      fmt::format("expect   about {} of training, then a validation loss of about {:.2f} nats/char ({:.1f} bits/char)",
                  describe_seconds(f.proposal.seconds), f.proposal.loss, bits(f.proposal.loss))};
}

nlohmann::ordered_json report(const Findings& f, const std::string& out) {
  return {{"config_file", out},
          {"bytes", f.shape.bytes},
          {"chars", f.facts.chars},
          {"tokens", name_of(f.facts.tokens, token_names)},
          {"vocabulary", f.vocabulary},
          {"lines", f.shape.lines},
          {"list", f.facts.list},
          {"sorted", f.facts.sorted},
          {"longest_line", f.shape.longest_line},
          {"ends_with_newline", f.shape.ends_with_newline},
          {"carriage_returns", f.shape.carriage_returns},
          {"nul_bytes", f.shape.nuls},
          {"counted_chars", f.entropy.chars},
          {"entropy_bits", f.entropy.bits},
          {"contexts", f.entropy.contexts},
          {"held_out_nats", f.entropy.held_out},
          {"cpus", available_cpus()},
          {"bf16", name_of(bf16_unit(), bf16_texts)},
          {"memory_gb", f.memory_gb},
          {"device", name_of(f.device, device_kind_names)},
          {"chars_per_second", f.proposal.chars_per_second},
          {"steps", f.proposal.steps},
          {"seconds", f.proposal.seconds},
          {"expected_nats", f.proposal.loss}};
}

/// Refuses to write the config to `out` if that would overwrite something, or if it could not name its text files.
void check_files(const InitOptions& options, const std::string& out) {
  for (const std::string& file : options.facts.files) {
    std::error_code none;
    if (std::filesystem::equivalent(file, out, none))
      fail_input(fmt::format("{} is the text itself", out), "another file", "choose one with --out FILE");
    if (find_invalid_utf8(file))
      fail_input(fmt::format("the file name {} is not UTF-8", safe_for_terminal(file)),
                 "a name that a JSON config can hold", "rename the file, or link to it");
  }
  if (out != "-" && std::filesystem::exists(out) && !options.overwrite)
    fail_input(fmt::format("{} exists already", out), "a new file", "choose another with --out, or use --overwrite");
}

int init(const InitOptions& options, const Globals& globals) {
  const std::string out = !options.out.empty() ? options.out : run_name(options.facts.files) + ".json";
  const bool to_stdout = out == "-";
  if (to_stdout && options.json)
    fail_input("--json and --out -", "one of them on stdout", "name a file for the config: --out FILE");
  check_files(options, out);
  const StopSignals signals;
  const Findings found = investigate(options.facts, globals.quiet);
  if (StopSignals::received() != 0) return 128 + StopSignals::received();
  if (!found.note.empty() && !globals.quiet) say("charnn: {}", found.note);
  const std::vector<std::string> lines = summary(found);
  const std::string text = commented_json(found.proposal, lines), shown = fmt::format("{}", fmt::join(lines, "\n"));
  if (to_stdout) {
    write_stdout(text);
    if (!globals.quiet) say("{}", shown);
    return 0;
  }
  write_file(out, text);
  if (options.json)
    write_json(report(found, out));
  else if (!globals.quiet)
    write_report(fmt::format("{}\nwrote {}\nnext:    charnn train {}\n", shown, out, out));
  return 0;
}

void add_init_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<InitOptions>();
  CLI::App* command = app.add_subcommand("init", "inspect a text and this machine, and write a config for them");
  command->add_option("corpus", options->facts.files, "text files")->required()->type_name("TEXT...");
  command->add_option("-o,--out", options->out, "config file to write; -: stdout; default: the text's name with .json")
      ->type_name("FILE");
  command->add_flag("--overwrite", options->overwrite, "replace an existing config");
  add_number(*command, "--minutes", options->facts.minutes, from_to(0.1, 100'000), "time that training may take");
  add_threads(*command, options->facts.threads);
  command->add_flag("--json", options->json, "print the findings as JSON");
  on_chosen(command, action, [options, &globals] { return init(*options, globals); });
}
}  // namespace

void add_init(Extras& extras) { extras.commands.emplace_back(add_init_command); }
}  // namespace charnn::cli
