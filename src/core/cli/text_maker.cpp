#include "core/cli/text_maker.h"
#include <utility>
#include "core/base/error.h"

namespace charnn::cli {
TextMaker::TextMaker(LoadedModel model, StepWeights weights, std::int64_t threads, bool many)
    : model_(std::move(model)),
      stepper_(model_.checkpoint.layout, model_.checkpoint.best_weights(), weights,
               threads == 0 && many ? available_cpus() : static_cast<int>(threads)),
      separator_(vocabulary().encode(model_.config.data.document_separator, "data.document_separator")) {}

Generator TextMaker::generator() {
  std::vector<Stepper*> others;
  for (const auto& other : others_) others.push_back(other.get());
  return {stepper_, vocabulary(), separator_, others};
}

void TextMaker::average_with(const LoadedModel& other) {
  others_.push_back(std::make_unique<Stepper>(other.checkpoint.layout, other.checkpoint.best_weights(),
                                              stepper_.weights(), stepper_.pool().size()));
}

PreparedText TextMaker::prepare(const TextOptions& options) const {
  PreparedText prepared;
  EncodedText prompt = encode(vocabulary(), options.prompt, options.prompt_name, options.unknown);
  prepared.shown_prompt = text(prompt.ids);
  prepared.note = std::move(prompt.note);
  TextJob& job = prepared.job;
  job.prompt = beginning_of(model_);
  prepared.unshown = job.prompt.size();
  job.prompt.insert(job.prompt.end(), prompt.ids.begin(), prompt.ids.end());
  for (const std::string& stop : options.stops) {
    if (stop.empty()) fail_input("stop: an empty string", "a string that may occur", "leave it out");
    job.stops.push_back(vocabulary().encode(stop, "the stop"));
  }
  if (options.until_line) job.stops.push_back(vocabulary().encode("\n", "the newline that ends a line"));
  if (options.one_document && separator_.empty())
    fail_input("one document: the network was trained on one continuous text",
               "a network that was trained with --document-separator", "leave it out, or limit the length");
  if (options.one_document) job.stops.push_back(separator_);
  job.sampler = std::make_shared<Sampler>(options.config, vocabulary());
  job.length = options.config.length;
  job.max_seconds = options.max_seconds;
  return prepared;
}

std::string TextMaker::text(std::span<const std::int64_t> ids) const {
  std::string all;
  for (const std::int64_t id : ids) all += vocabulary().text(id);
  return all;
}

std::string TextMaker::write(TextJob job) {
  std::string text;
  job.on_text = [&text, next = std::move(job.on_text)](const TextPiece& piece) {
    text += piece.text;
    return !next || next(piece);
  };
  Generator writer = generator();
  generate(writer, std::move(job));
  return text;
}
}  // namespace charnn::cli
