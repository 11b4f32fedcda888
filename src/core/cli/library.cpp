// The public library, on top of what the commands use.
#include <filesystem>
#include <random>
#include <charnn/charnn.h>
#include "core/base/error.h"
#include "core/cli/text_maker.h"
#include "core/cli/train_run.h"
#include "core/sample/filters.h"
#include "core/sample/text_reader.h"

namespace charnn {
namespace {
template <class T>
void set(SampleConfig& config, const std::string& name, const std::optional<T>& value) {
  std::vector<Section> sections{describe(config)};
  if (value) assign(find_field(sections, "sample." + name, name), Value(*value), name);
}

/// Passes on what happens in training.
class Reporter : public Sink {
 public:
  explicit Reporter(const TrainOptions& options) : options_(options) {}
  void step(const StepInfo& s) override {
    if (options_.on_step) options_.on_step(s.step, s.loss);
  }
  void warn(const Warning& w) override { message("step " + std::to_string(w.step) + ": " + w.message); }
  void message(const std::string& text) const {
    if (options_.on_message) options_.on_message(text);
  }

 private:
  const TrainOptions& options_;
};
}  // namespace

double Score::bits_per_char() const { return bits(nats) / static_cast<double>(chars); }

struct Model::Parts {
  cli::TextMaker maker;
  std::optional<Stepper> scorer = {};  ///< made when needed; without rounded weights
};

Model::Model(const std::string& run_or_checkpoint) {
  const bool validated = std::filesystem::exists(cli::RunFolder(run_or_checkpoint).best());
  cli::LoadedModel loaded = cli::load_model({run_or_checkpoint, validated ? "best" : "last"});
  const StepWeights weights = loaded.config.sample.weights;
  parts_.reset(new Parts{{std::move(loaded), weights, /*threads=*/0, /*many=*/false}});
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

ModelInfo Model::info() const {
  const Checkpoint& checkpoint = parts_->maker.model().checkpoint;
  const ModelConfig& config = checkpoint.layout.config();
  return {name_of(config.cell, cell_names), config.layers,        config.hidden, checkpoint.layout.size(),
          checkpoint.vocabulary.size(),     checkpoint.train.step};
}

std::string Model::write(const WriteOptions& options) {
  cli::TextMaker& maker = parts_->maker;
  cli::TextOptions text{.prompt = options.prompt, .stops = options.stops, .config = maker.model().config.sample};
  set(text.config, "length", options.length);
  set(text.config, "temperature", options.temperature);
  set(text.config, "top_k", options.top_k);
  set(text.config, "top_p", options.top_p);
  TextJob job = maker.prepare(text).job;
  job.seed = options.seed ? *options.seed : std::random_device()();
  if (options.on_text) job.on_text = [&](const TextPiece& piece) { return options.on_text(piece.text); };
  return maker.write(std::move(job));
}

Score Model::score(std::string_view text) {
  const cli::LoadedModel& model = parts_->maker.model();
  const Checkpoint& checkpoint = model.checkpoint;
  if (!parts_->scorer) parts_->scorer.emplace(checkpoint.layout, checkpoint.best_weights(), StepWeights::fp32, 0);
  TextReader reader(*parts_->scorer, parts_->maker.separator());
  for (const std::int64_t id : cli::beginning_of(model)) reader.read(id);
  Score score;
  for (const std::int64_t id : checkpoint.vocabulary.encode(text, "the text")) {
    std::vector<float> logits = reader.logits();
    normalize(logits);
    score.nats_per_char.push_back(-static_cast<double>(logits[static_cast<std::size_t>(id)]));
    score.nats += score.nats_per_char.back();
    ++score.chars;
    reader.read(id);
  }
  return score;
}

TrainResult train(const std::string& config_json, const std::string& out, const TrainOptions& options) {
  Reporter reporter(options);
  cli::TrainRequest request;
  request.input.json = config_json;
  request.out = out;
  request.resume = options.resume;
  request.overwrite = options.overwrite;
  const auto message = [&](const std::string& text) { reporter.message(text); };
  const cli::TrainEnd end = run_training(request, {.display = &reporter, .message = message, .stop = [&] {
                                                     return options.stop && options.stop() ? -1 : 0;
                                                   }});
  const bool early = end.outcome == Outcome::early, stopped = end.outcome == Outcome::stopped;
  return {early ? "early" : stopped ? "stopped" : "finished", end.state.step, end.state.best_loss, end.state.best_step};
}
}  // namespace charnn
