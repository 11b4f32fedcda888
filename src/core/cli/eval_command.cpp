#include <cmath>
#include <memory>
#include <optional>
#include <vector>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
namespace {
struct EvalArguments {
  ModelChoice model;
  std::vector<std::string> files;
  std::string split;
  EvalChoice eval;
  bool json = false;
};

Split split_of(const Corpus& corpus, const std::string& name) {
  if (name == "all") return corpus.all();
  if (name == "train") return corpus.train();
  const Split split = name == "test" ? corpus.test() : corpus.val();
  if (split.size() < 2)
    fail_input(fmt::format("the {} split has {} characters", name, split.size()), "at least 2",
               "evaluate another split (--split), or another text (--data FILE)");
  return split;
}

int eval(const EvalArguments& options) {
  const std::vector<LoadedModel> models = load_models(options.model, options.eval.with);
  const LoadedModel& loaded = models[0];
  const Corpus corpus = open_text_of(loaded, options.files, options.eval.unknown);
  const std::int64_t step = loaded.checkpoint.train.step;
  if (options.files.empty() && corpus.fingerprint() != loaded.checkpoint.train.corpus)
    fail_input("the text that the network was trained on has changed since",
               "the same text, so that the splits are the same", "restore it, or name a text with --data FILE");
  const std::string name = !options.split.empty() ? options.split : options.files.empty() ? "val" : "all";
  EvalChoice choice = options.eval;
  if (name == "all") choice.options.opening = beginning_of(loaded);
  const EvalResult result = measure(models, corpus, split_of(corpus, name), choice);
  const double nats = result.loss(), perplexity = std::exp(nats);
  std::optional<Calibration> calibration;
  if (name == "val" && models.size() == 1 && !options.eval.dynamic && options.eval.options.window == 0)
    calibration = calibrate(*make_network(loaded, options.eval), corpus, corpus.val());
  if (options.json) {
    nlohmann::ordered_json report{{"checkpoint", loaded.path},
                                  {"step", step},
                                  {"split", name},
                                  {"chars", result.chars},
                                  {"window", options.eval.options.window},
                                  {"dynamic", options.eval.dynamic},
                                  {"networks", models.size()},
                                  {"nats_per_char", nats},
                                  {"bits_per_char", bits(nats)},
                                  {"perplexity", perplexity}};
    if (calibration) {
      report["fitted_temperature"] = calibration->temperature;
      report["fitted_on"] = {{"chars", calibration->chars},
                             {"nats_per_char", calibration->plain_loss},
                             {"nats_per_char_at_fitted_temperature", calibration->loss}};
    }
    write_json(report);
    return 0;
  }
  write_report(
      fmt::format("{} at step {}, split {}, {} characters, {}\nnats/char   {:.6f}\nbits/char   {:.6f}\n"
                  "perplexity  {:.6f}\n",
                  loaded.path, step, name, result.chars, describe(options.eval), nats, bits(nats), perplexity));
  if (calibration)
    write_report(
        fmt::format("at temperature {:.3f}, fitted on the first {} characters: {:.6f} nats/char there, {:.6f} at 1\n",
                    calibration->temperature, calibration->chars, calibration->loss, calibration->plain_loss));
  return 0;
}
}  // namespace

void add_eval(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<EvalArguments>();
  CLI::App* command = app.add_subcommand("eval", "measure how well a network predicts a text");
  add_model_choice(*command, options->model);
  command->add_option("--data", options->files, "text to evaluate; default: the run's own corpus")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command
      ->add_option("--split", options->split,
                   "part of the text: train, val, test or all; default: val, or all with --data")
      ->check(CLI::IsMember({"train", "val", "test", "all"}));
  add_eval_choice(*command, options->eval);
  command->add_flag("--json", options->json, "print the result as JSON");
  on_chosen(command, action, [options, &globals] {
    options->eval.quiet = globals.quiet;
    return eval(*options);
  });
}
}  // namespace charnn::cli
