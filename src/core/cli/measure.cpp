#include "core/cli/measure.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/cli/runtime.h"
#include "kernels/thread_pool.h"

namespace charnn::cli {
namespace {
/// -log of the mean probability that the networks give each symbol.
EvalResult measure_mean(const std::vector<LoadedModel>& models, const Corpus& corpus, Split split,
                        const EvalChoice& choice) {
  EvalOptions options = choice.options;
  const std::int64_t begin = first_predicted(options);
  const auto size = static_cast<std::size_t>(require_predictions(split, options));
  std::vector<float> probabilities(size), nats(size);
  options.each = [&](std::int64_t first, std::span<const float> some) {
    for (std::size_t i = 0; i < some.size(); ++i)
      probabilities[static_cast<std::size_t>(first - begin) + i] +=
          std::exp(-some[i]) / static_cast<float>(models.size());
  };
  for (const LoadedModel& model : models) {
    if (!options.opening.empty()) options.opening = beginning_of(model);
    evaluate(*make_network(model, choice), corpus, split, options);
  }
  std::transform(probabilities.begin(), probabilities.end(), nats.begin(), [](float p) { return -std::log(p); });
  EvalResult result{.chars = std::ssize(nats)};
  for (const float value : nats) result.nats += static_cast<double>(value);
  if (choice.options.each) choice.options.each(begin, nats);
  return result;
}
}  // namespace

std::vector<LoadedModel> load_models(const ModelChoice& choice, const std::vector<std::string>& with) {
  std::vector<LoadedModel> models{load_model(choice)};
  for (const std::string& more : with) {
    const LoadedModel& other = models.emplace_back(load_model({more, choice.which}));
    const bool same_symbols = other.checkpoint.vocabulary == models[0].checkpoint.vocabulary;
    if (!same_symbols || other.config.data.document_separator != models[0].config.data.document_separator)
      fail_input(fmt::format("--with {}: its {} are not those of {}", other.path,
                             same_symbols ? "documents" : "characters", models[0].path),
                 "networks trained on the same text", "leave it out");
  }
  return models;
}

std::unique_ptr<Network> make_network(const LoadedModel& model, const EvalChoice& choice) {
  const bool on_cpu = is_cpu(model.config.train.device);
  ModelConfig config = model.checkpoint.layout.config();
  config.drop_nothing();
  auto network = std::make_unique<Network>(NetworkLayout(config, model.checkpoint.layout.vocabulary_size()),
                                           model.checkpoint.best_weights(),
                                           prepare_device(on_cpu ? DeviceChoice::cpu : DeviceChoice::automatic));
  const int threads = choice.threads > 0 ? static_cast<int>(choice.threads) : available_cpus();
  Precision precision = choice.precision;
  if (precision == Precision::automatic) {
    const bool rounded = model.config.train.precision == Precision::bf16 && !choice.dynamic;
    precision = rounded && is_supported(Precision::bf16, network->device()) ? Precision::bf16 : Precision::fp32;
  }
  network->configure({.training = precision, .evaluation = precision, .threads = threads});
  return network;
}

EvalResult measure(const std::vector<LoadedModel>& models, const Corpus& corpus, Split split, EvalChoice choice) {
  Progress progress(/*after=*/1);
  std::int64_t done = 0;
  const std::int64_t all = require_predictions(split, choice.options) * std::ssize(models);
  choice.options.progress = [&](std::int64_t chars) {
    done += chars;
    if (!choice.quiet) progress.show("measuring", static_cast<double>(done) / static_cast<double>(all));
  };
  if (models.size() > 1) return measure_mean(models, corpus, split, choice);
  const auto network = make_network(models[0], choice);
  if (!choice.dynamic) return *evaluate(*network, corpus, split, choice.options);
  DynamicNetwork dynamic(*network, models[0].checkpoint, choice.dynamic_options);
  return *evaluate_dynamic(dynamic, corpus, split, choice.options);
}

Batch window_of(std::span<const std::int64_t> ids, std::int64_t begin, std::int64_t most, DocumentStarts& documents) {
  Batch window(std::min(most, std::ssize(ids) - 1 - begin), 1, /*has_documents=*/true);
  for (std::int64_t t = 0; t < window.steps; ++t) {
    window.input[t] = ids[begin + t];
    window.target[t] = ids[begin + t + 1];
    window.starts[t] = documents.at(window.input[t]) ? 1 : 0;
  }
  return window;
}

void adapt(LoadedModel& model, const TextOptions& prompt, std::int64_t passes) {
  const Vocabulary& vocabulary = model.checkpoint.vocabulary;
  const std::string& separator = model.config.data.document_separator;
  std::vector<std::int64_t> ids = beginning_of(model);
  const auto read = encode(vocabulary, prompt.prompt, prompt.prompt_name, prompt.unknown).ids;
  if (read.empty()) fail_input("--adapt without a prompt", "a text to learn from", "add --prompt or --prompt-file");
  ids.insert(ids.end(), read.begin(), read.end());
  EvalChoice choice;
  choice.dynamic = true;
  const auto network = make_network(model, choice);
  DynamicNetwork dynamic(*network, model.checkpoint);
  const std::int64_t last = std::ssize(ids) - 1, length = dynamic.options().segment;  // nothing follows the last one
  std::vector<float> nats(static_cast<std::size_t>(length));
  for (std::int64_t pass = 0; pass < passes; ++pass) {
    DocumentStarts documents(vocabulary.encode(separator, "data.document_separator"));
    State state = network->zero_state(1);
    for (std::int64_t begin = 0; begin < last; begin += length) {
      const Batch segment = window_of(ids, begin, length, documents);
      dynamic.score_and_learn(segment, state, std::span(nats).first(segment.input.size()));
    }
  }
  model.checkpoint.weights = network->weights().to_host();
  model.checkpoint.average.clear();
}

std::string describe(const EvalChoice& choice) {
  std::string text = choice.options.window > 0 ? fmt::format("state reset every {} characters", choice.options.window)
                                               : "state carried over the whole split";
  if (choice.dynamic) text += ", dynamic evaluation";
  if (!choice.with.empty()) text += fmt::format(", mean of {} networks", choice.with.size() + 1);
  return text;
}
}  // namespace charnn::cli
