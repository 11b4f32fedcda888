#include "core/cli/training_setup.h"
#include <algorithm>
#include <optional>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/cli/runtime.h"
#include "core/io/extend_vocabulary.h"
#include "core/model/torch_runtime.h"
#include "core/train/schedule.h"
#include "kernels/thread_pool.h"

namespace charnn::cli {
namespace {
/// Passes the text on if it can be trained on.
Corpus checked(const Config& config, Corpus corpus, bool new_network) {
  require_plan(config.train, config.schedule);
  if (config.data.val_fraction == 0 && (config.train.patience > 0 || config.schedule.kind == ScheduleKind::plateau))
    fail_input(fmt::format("{} needs validation, but data.val_fraction is 0",
                           config.train.patience > 0 ? "train.patience" : "schedule.kind = \"plateau\""),
               "a part of the text for validation", "leave it out, or set --val-fraction, for example to 0.1");
  if (new_network && corpus.has_documents()) corpus.require_separator();
  require_fits(corpus.train(), config.train.batch_size, config.train.sequence_length);
  if (config.data.val_fraction > 0 && corpus.val().size() < 2)
    fail_input(fmt::format("the validation part of the text has {} characters (val_fraction {} of {})",
                           corpus.val().size(), config.data.val_fraction, corpus.size()),
               "at least 2",
               fmt::format("--val-fraction {:.3g} or more, a longer text, or --val-fraction 0 for no validation",
                           2.0 / static_cast<double>(corpus.size())));
  return corpus;
}
}  // namespace

int training_threads(const TrainConfig& train, const ModelConfig& model, std::int64_t vocabulary_size,
                     const Place& place) {
  if (train.threads > 0) return static_cast<int>(train.threads);
  constexpr double flops_a_thread = 4e6;  // with less work, synchronization costs more than a thread gains
  const double chars = static_cast<double>(train.batch_size * train.sequence_length) / place.size;
  return static_cast<int>(std::clamp(chars * training_flops(model, vocabulary_size) / flops_a_thread, 1.0,
                                     std::max(1.0, static_cast<double>(available_cpus() / place.local_size))));
}

TrainingSetup::TrainingSetup(const Config& config, Corpus text, const Checkpoint* weights, bool with_moments,
                             const Place& place)
    : corpus(checked(config, std::move(text), weights == nullptr)) {
  const Device device = prepare_device(config.train.device, place.local_rank);
  const Vocabulary& vocabulary = corpus.vocabulary();
  seed_generators(static_cast<std::uint64_t>(config.train.seed));
  network = std::make_unique<Network>(config.model, vocabulary.size(), device);
  std::optional<Checkpoint> extended;
  if (weights != nullptr && !(weights->vocabulary == vocabulary))
    weights = &extended.emplace(extend_vocabulary(*weights, vocabulary, network->weights().to_host()));
  if (weights != nullptr) network->change_weights().assign(weights->best_weights());
  const Precision precision = config.train.precision;
  const bool rounded_more = precision == Precision::tf32 || precision == Precision::fp16;
  network->configure({.training = precision,
                      .evaluation = rounded_more ? Precision::fp32 : precision,
                      .threads = training_threads(config.train, config.model, vocabulary.size(), place)});
  adam = std::make_unique<Adam>(*network, config.optimizer);
  if (weights != nullptr && with_moments)
    adam->restore(weights->exp_avg, weights->exp_avg_sq, weights->train.optimizer_step);
  batcher = std::make_unique<Batcher>(corpus, corpus.train(), config.train.batch_size, config.train.sequence_length,
                                      config.train.window_jitter, config.train.seed);
}
}  // namespace charnn::cli
