#pragma once
#include <string>
#include <vector>
#include "core/cli/run_folder.h"
#include "core/sample/generator.h"

namespace charnn::cli {
/// How a text is asked for.
struct TextOptions {
  std::string prompt;
  std::string prompt_name = "the prompt";  ///< in messages
  OnUnknown unknown = OnUnknown::error;
  std::vector<std::string> stops;
  bool until_line = false;
  bool one_document = false;
  double max_seconds = 0;  ///< 0: no limit
  SampleConfig config;
};

/// TextOptions resolved against the vocabulary.
struct PreparedText {
  TextJob job;               ///< without seed and on_text
  std::string shown_prompt;  ///< what the network reads of the prompt
  std::string note;          ///< what was left out of the prompt or replaced; or empty
};

/// A trained network, ready to write.
class TextMaker {
 public:
  /// `threads`: 0 for what is fastest for one text, or for several if `many`.
  TextMaker(LoadedModel model, StepWeights weights, std::int64_t threads, bool many);

  /// Throws Error (usage): a prompt or stop with characters that the network does not know, an empty stop, a document's
  /// end where there are no documents, and as Sampler.
  PreparedText prepare(const TextOptions& options) const;

  const LoadedModel& model() const noexcept { return model_; }
  const Vocabulary& vocabulary() const noexcept { return model_.checkpoint.vocabulary; }
  Stepper& stepper() noexcept { return stepper_; }
  const std::vector<std::int64_t>& separator() const noexcept { return separator_; }  ///< of documents; may be empty
  std::string text(std::span<const std::int64_t> ids) const;
  Generator generator() { return {stepper_, vocabulary(), separator_}; }

 private:
  LoadedModel model_;
  Stepper stepper_;
  std::vector<std::int64_t> separator_;
};

/// Adds --stop, --until-line, --one-document, --max-seconds and --unknown to `command`.
void add_text_options(CLI::App& command, TextOptions& text);
}  // namespace charnn::cli
