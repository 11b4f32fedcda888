#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/cli/config.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/model/network.h"
#include "extras/bench/bench_measure.h"
#include "kernels/thread_pool.h"

namespace charnn::cli {
namespace {
using Json = nlohmann::ordered_json;

struct Options {
  ConfigInput config;
  std::int64_t vocabulary = 65;
  double seconds = 2;
  std::string only;  ///< train, sample or empty
  bool json = false;
};

/// The sizes asked for, or, where none are, a small and a large network.
std::vector<BenchCase> cases_of(const Options& options, const Config& config, const KeySet& given) {
  const BenchCase asked{config.model, options.vocabulary, config.train.batch_size, config.train.sequence_length,
                        options.seconds};
  const bool any = std::any_of(given.begin(), given.end(), [](const std::string& key) {
    return key.rfind("model.", 0) == 0 || key == "train.batch_size" || key == "train.sequence_length";
  });
  if (any) return {asked};
  BenchCase large = asked;
  large.model.hidden = 512;
  large.batch_size = 64;
  large.sequence_length = 100;
  return {asked, large};
}

std::vector<int> thread_counts(std::int64_t asked) {
  if (asked > 0) return {static_cast<int>(asked)};
  std::set<int> counts{available_cpus()};
  for (int n = 1; n < available_cpus(); n *= 2) counts.insert(n);
  return {counts.begin(), counts.end()};
}

const char* format_name(Format format) {
  return format == Format::f32 ? "float" : format == Format::bf16 ? "bf16" : "three bf16 parts";
}

const char* unit_name() {
  switch (bf16_unit()) {
    case Bf16Unit::amx: return "AMX";
    case Bf16Unit::avx512_bf16: return "AVX-512 BF16";
    case Bf16Unit::none: break;
  }
  return "none";
}

/// Measures and says what comes out as it comes.
class Bench {
 public:
  Bench(const Options& options, const Globals& globals) : options_(options), talks_(!options.json && !globals.quiet) {}

  Json run() {
    Config config;
    const KeySet given = options_.config.apply(config);
    const std::vector<int> threads = thread_counts(config.train.threads);
    formats_ = {exact_format()};
    if (bf16_unit() != Bf16Unit::none && !given.contains("train.precision")) formats_.push_back(Format::bf16);
    if (given.contains("train.precision") && config.train.precision == Precision::bf16) {
      require_supported(Precision::bf16);
      formats_ = {Format::bf16};
    }
    report_["cpus"] = available_cpus();
    report_["bf16_unit"] = unit_name();
    const std::vector<BenchCase> cases = cases_of(options_, config, given);
    if (options_.only != "sample") {
      products(threads);
      training(cases, threads);
    }
    if (options_.only != "train") sampling(cases, threads);
    return report_;
  }

 private:
  void say(const std::string& text) const {
    if (talks_) write_stdout(text);
  }

  static std::string title(const BenchCase& b) {
    return fmt::format("{} {} x {}", name_of(b.model.cell, cell_names), b.model.layers, b.model.hidden);
  }

  static Json sizes(const BenchCase& b) {
    return {{"cell", name_of(b.model.cell, cell_names)},
            {"layers", b.model.layers},
            {"hidden", b.model.hidden},
            {"vocabulary", b.vocabulary}};
  }

  void products(const std::vector<int>& threads) {
    report_["products"] = Json::array();
    say(fmt::format("{} CPUs, bf16 unit: {}\n\nproducts that stay in the cache   threads   GFLOP/s\n", available_cpus(),
                    unit_name()));
    std::set<Format> formats(formats_.begin(), formats_.end());
    if (formats.contains(exact_format())) formats.insert(Format::f32);
    for (const Format format : formats)
      for (const int n : threads) {
        const double rate = measure_products(format, n, std::min(options_.seconds, 1.0));
        peaks_[{format, n}] = rate;
        report_["products"].push_back({{"format", format_name(format)}, {"threads", n}, {"gflops", rate}});
        say(fmt::format("{:<32}  {:>7}  {:>8.0f}\n", format_name(format), n, rate));
      }
  }

  void training(const std::vector<BenchCase>& cases, const std::vector<int>& threads) {
    report_["train"] = Json::array();
    say("\ntraining                  threads  precision     chars/s   GFLOP/s  of products  memory MB "
        "(needed)\n");
    for (const BenchCase& bench : cases)
      for (const Format format : formats_)
        for (const int n : threads) training(bench, format, n);
  }

  void sampling(const std::vector<BenchCase>& cases, const std::vector<int>& threads) {
    report_["sample"] = Json::array();
    say("\nsampling                  threads  weights   streams     chars/s\n");
    for (const BenchCase& bench : cases)
      for (const std::int64_t streams : {1, 64})
        for (const StepWeights weights : {StepWeights::fp32, StepWeights::bf16})
          for (const int n : threads) sampling(bench, weights, streams, n);
  }

  void training(const BenchCase& b, Format format, int threads) {
    const Precision precision = format == Format::bf16 ? Precision::bf16 : Precision::fp32;
    const char* name = name_of(precision, precision_names);
    const TrainRate rate = measure_training(b, precision, threads);
    const double share = rate.gflops / peaks_[{format, threads}];
    Json record = sizes(b);
    record.update(Json{{"batch_size", b.batch_size},
                       {"sequence_length", b.sequence_length},
                       {"precision", name},
                       {"threads", threads},
                       {"chars_per_second", rate.chars_per_second},
                       {"gflops", rate.gflops},
                       {"share_of_products", share},
                       {"peak_mb", rate.peak_mb},
                       {"base_mb", rate.base_mb},
                       {"needed_mb", rate.needed_mb},
                       {"loss", rate.loss}});
    report_["train"].push_back(record);
    say(fmt::format("{:<24}  {:>7}  {:<9}  {:>10.0f}  {:>8.0f}  {:>10.0f} %  {:>9.0f} ({:.0f})\n",
                    fmt::format("{}, {} x {}", title(b), b.batch_size, b.sequence_length), threads, name,
                    rate.chars_per_second, rate.gflops, 100 * share, rate.peak_mb, rate.base_mb + rate.needed_mb));
  }

  void sampling(const BenchCase& b, StepWeights weights, std::int64_t streams, int threads) {
    const char* name = name_of(weights, step_weights_names);
    const double rate = measure_sampling(b, weights, streams, threads);
    Json record = sizes(b);
    record.update(Json{{"weights", name}, {"streams", streams}, {"threads", threads}, {"chars_per_second", rate}});
    report_["sample"].push_back(record);
    say(fmt::format("{:<24}  {:>7}  {:<7}  {:>8}  {:>10.0f}\n", title(b), threads, name, streams, rate));
  }

  const Options& options_;
  bool talks_;
  std::vector<Format> formats_;
  std::map<std::pair<Format, int>, double> peaks_;
  Json report_;
};

void add_bench_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("bench", "measure how fast this machine trains and samples");
  command
      ->add_option("config", options->config.file,
                   "config file whose sizes to measure; without it and without sizes: a small and a large network")
      ->type_name("CONFIG.json");
  command->add_option("--vocabulary", options->vocabulary, "number of different characters")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  command->add_option("--seconds", options->seconds, "time for each figure")
      ->check(CLI::Range(0.01, 600.0))
      ->capture_default_str();
  command->add_option("--only", options->only, "measure just this: train or sample")
      ->check(CLI::IsMember({"train", "sample"}));
  command->add_flag("--json", options->json, "print the figures as JSON");
  add_config_flags(*command, options->config, {"model", "train"});
  command->callback([&action, &globals, options] {
    action = [&globals, options] {
      const Json report = Bench(*options, globals).run();
      if (options->json) write_json(report);
      return 0;
    };
  });
}
}  // namespace

void add_bench(Extras& extras) { extras.commands.emplace_back(add_bench_command); }
}  // namespace charnn::cli
