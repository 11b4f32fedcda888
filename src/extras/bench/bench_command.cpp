#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/model/network.h"
#include "extras/bench/bench_measure.h"
#include "kernels/thread_pool.h"

namespace charnn::cli {
namespace {
using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 3> format_names{"float", "bf16", "three bf16 parts"};
constexpr std::array<const char*, 3> unit_names{"none", "AVX-512 BF16", "AMX"};

struct BenchOptions {
  ConfigInput config;
  std::int64_t vocabulary = 65;
  double seconds = 2;
  std::string only;  ///< train, score, sample or empty
  bool json = false;
};

/// The sizes given; without any, a small and a large network.
std::vector<BenchCase> cases_of(const BenchOptions& options, const Config& config, const KeySet& given) {
  const BenchCase asked{config.model,    options.vocabulary, config.train.batch_size, config.train.sequence_length,
                        options.seconds, config.train.device};
  if (std::any_of(given.begin(), given.end(), [](const std::string& key) {
        return key.starts_with("model.") || key == "train.batch_size" || key == "train.sequence_length";
      }))
    return {asked};
  BenchCase large = asked;
  large.model.hidden = 512;
  large.batch_size = 64;
  large.sequence_length = 100;
  return {asked, large};
}

std::set<int> thread_counts(std::int64_t asked) {
  if (asked > 0) return {static_cast<int>(asked)};
  std::set<int> counts{available_cpus()};
  for (int n = 1; n < available_cpus(); n *= 2) counts.insert(n);
  return counts;
}

/// Measures, and prints each figure as soon as it is known.
class Bench {
 public:
  Bench(const BenchOptions& options, const Globals& globals)
      : options_(options), prints_(!options.json && !globals.quiet) {
    Config config;
    const KeySet given = options_.config.apply(config);
    cases_ = cases_of(options_, config, given);
    threads_ = thread_counts(config.train.threads);
    const MeasuredDevice measured = measured_device(config.train.device);
    device_ = measured.device;
    if (config.train.precision != Precision::automatic) {
      require_supported(config.train.precision, device_);
      precisions_ = {config.train.precision};
    } else if (measured.fast_bf16) {
      precisions_.push_back(Precision::bf16);
    }
  }

  Json run() {
    report_ = {{"cpus", available_cpus()},
               {"bf16_unit", name_of(bf16_unit(), unit_names)},
               {"device", name_of(device_, device_kind_names)}};
    const auto wanted = [&](const char* what) { return options_.only.empty() || options_.only == what; };
    if (device_ == Device::cpu && options_.only != "sample") products();
    if (wanted("train")) training();
    if (wanted("score")) scoring();
    if (wanted("sample")) sampling();
    return report_;
  }

 private:
  template <class... Parts>
  void print(fmt::format_string<Parts...> format, Parts&&... parts) const {
    if (prints_) write_stdout(fmt::format(format, std::forward<Parts>(parts)...));
  }

  static Format format_of(Precision precision) { return precision == Precision::bf16 ? Format::bf16 : exact_format(); }

  static std::string title(const BenchCase& b) {
    return fmt::format("{} {} x {}", name_of(b.model.cell, cell_names), b.model.layers, b.model.hidden);
  }

  static Json record(const BenchCase& b, const Json& figures) {
    Json record = {{"cell", name_of(b.model.cell, cell_names)},
                   {"layers", b.model.layers},
                   {"hidden", b.model.hidden},
                   {"vocabulary", b.vocabulary}};
    record.update(figures);
    return record;
  }

  void products() {
    report_["products"] = Json::array();
    print("{} CPUs, bf16 unit: {}\n\nGEMM peak, data in cache          threads   GFLOP/s\n", available_cpus(),
          name_of(bf16_unit(), unit_names));
    std::set<Format> formats;
    for (const Precision precision : precisions_) formats.insert(format_of(precision));
    if (formats.contains(exact_format())) formats.insert(Format::f32);
    for (const Format format : formats)
      for (const int threads : threads_) {
        const char* name = name_of(format, format_names);
        const double rate = measure_products(format, threads, std::min(options_.seconds, 1.0));
        peaks_[{format, threads}] = rate;
        report_["products"].push_back({{"format", name}, {"threads", threads}, {"gflops", rate}});
        print("{:<32}  {:>7}  {:>8.0f}\n", name, threads, rate);
      }
  }

  std::set<int> threads_used() const { return device_ == Device::cpu ? threads_ : std::set<int>{1}; }

  /// Of the peak of products, which is known for a CPU.
  double share_of_peak(double gflops, Precision precision, int threads) const {
    const auto peak = peaks_.find({format_of(precision), threads});
    return peak == peaks_.end() ? NAN : gflops / peak->second;
  }
  static std::string percent(double share) { return std::isnan(share) ? "-" : fmt::format("{:.0f} %", 100 * share); }

  void training() {
    report_["train"] = Json::array();
    if (device_ != Device::cpu) print("device: {}\n", name_of(device_, device_kind_names));
    print("\ntraining                  threads  precision     chars/s   GFLOP/s  of GEMM peak  memory MB (needed)\n");
    for (const BenchCase& b : cases_)
      for (const Precision precision : precisions_)
        for (const int threads : threads_used()) {
          const char* name = name_of(precision, precision_names);
          const TrainRate rate = measure_training(b, precision, threads);
          const double share = share_of_peak(rate.gflops, precision, threads);
          report_["train"].push_back(record(b, {{"batch_size", b.batch_size},
                                                {"sequence_length", b.sequence_length},
                                                {"precision", name},
                                                {"threads", threads},
                                                {"chars_per_second", rate.chars_per_second},
                                                {"gflops", rate.gflops},
                                                {"share_of_products", share},
                                                {"peak_mb", rate.peak_mb},
                                                {"base_mb", rate.base_mb},
                                                {"needed_mb", rate.needed_mb},
                                                {"loss", rate.loss}}));
          print("{:<24}  {:>7}  {:<9}  {:>10.0f}  {:>8.0f}  {:>12}  {:>9.0f} ({:.0f})\n",
                fmt::format("{}, {} x {}", title(b), b.batch_size, b.sequence_length), threads, name,
                rate.chars_per_second, rate.gflops, percent(share), rate.peak_mb, rate.base_mb + rate.needed_mb);
        }
  }

  void scoring() {
    report_["score"] = Json::array();
    print("\nscoring, evaluation       threads  precision     chars/s   GFLOP/s  of GEMM peak\n");
    for (const BenchCase& b : cases_)
      for (const Precision precision : precisions_)
        for (const int threads : threads_used()) {
          const char* name = name_of(precision, precision_names);
          const double rate = measure_scoring(b, precision, threads);
          const double gflops = rate * training_flops(b.model, b.vocabulary) / 3e9;  // backwards is twice as much
          const double share = share_of_peak(gflops, precision, threads);
          report_["score"].push_back(record(b, {{"precision", name},
                                                {"threads", threads},
                                                {"chars_per_second", rate},
                                                {"gflops", gflops},
                                                {"share_of_products", share}}));
          print("{:<24}  {:>7}  {:<9}  {:>10.0f}  {:>8.0f}  {:>12}\n", title(b), threads, name, rate, gflops,
                percent(share));
        }
  }

  void sampling() {
    report_["sample"] = Json::array();
    print("\nsampling                  threads  weights   streams     chars/s\n");
    for (const BenchCase& b : cases_)
      for (const std::int64_t streams : {1, 64})
        for (const StepWeights weights : {StepWeights::fp32, StepWeights::bf16, StepWeights::int8})
          for (const int threads : threads_) {
            if (streams > 1 && weights != StepWeights::fp32) continue;  // their products are of floats
            const char* name = name_of(weights, step_weights_names);
            const double rate = measure_sampling(b, weights, streams, threads);
            report_["sample"].push_back(
                record(b, {{"weights", name}, {"streams", streams}, {"threads", threads}, {"chars_per_second", rate}}));
            print("{:<24}  {:>7}  {:<7}  {:>8}  {:>10.0f}\n", title(b), threads, name, streams, rate);
          }
  }

  const BenchOptions& options_;
  bool prints_;
  std::vector<BenchCase> cases_;
  std::set<int> threads_;
  Device device_;
  std::vector<Precision> precisions_{Precision::fp32};
  std::map<std::pair<Format, int>, double> peaks_;
  Json report_;
};

void add_bench_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", "measure how fast this machine trains and samples");
  command->add_option("config", options->config.file, "sizes to measure; default: a small and a large network")
      ->type_name("CONFIG.json");
  add_number(*command, "--vocabulary", options->vocabulary, from_to(2, 1 << 20), "vocabulary size");
  add_number(*command, "--seconds", options->seconds, from_to(0.01, 600), "time per figure");
  command->add_option("--only", options->only, "measure only one of these")
      ->check(CLI::IsMember({"train", "score", "sample"}));
  command->add_flag("--json", options->json, "print the figures as JSON");
  add_config_flags(*command, options->config, {"model", "train"});
  on_chosen(command, action, [&globals, options] {
    const Json report = Bench(*options, globals).run();
    if (options->json) write_json(report);
    return 0;
  });
}
}  // namespace

void add_bench(Extras& extras) { extras.commands.emplace_back(add_bench_command); }
}  // namespace charnn::cli
