#pragma once
#include <memory>
#include <string>
#include <vector>
#include "core/cli/run_folder.h"
#include "core/sample/generator.h"

namespace charnn::cli {
/// A text to be written, as the user describes it.
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
  TextJob job;               ///< without seed, on_text and on_symbol
  std::size_t unshown = 0;   ///< symbols that it reads before the prompt
  std::string shown_prompt;  ///< the part of the prompt that the network reads
  std::string note;          ///< which characters of the prompt were dropped or replaced; may be empty
};

/// A trained network, ready to write.
class TextMaker {
 public:
  /// `threads`: 0 chooses the fastest number for one text, or for several if `many`.
  TextMaker(LoadedModel model, StepWeights weights, std::int64_t threads, bool many);

  /// Throws Error (usage): a prompt or stop string with unknown characters, an empty stop string, one_document for a
  /// network that was not trained on documents; see also Sampler.
  PreparedText prepare(const TextOptions& options) const;

  const LoadedModel& model() const noexcept { return model_; }
  const Vocabulary& vocabulary() const noexcept { return model_.checkpoint.vocabulary; }
  Stepper& stepper() noexcept { return stepper_; }
  const std::vector<std::int64_t>& separator() const noexcept { return separator_; }  ///< of documents; may be empty
  std::string text(std::span<const std::int64_t> ids) const;
  Generator generator();
  /// From now on texts are drawn from the mean of this network's probabilities and that of another one, of the same
  /// vocabulary.
  void average_with(const LoadedModel& other);
  std::string write(TextJob job);  ///< returns what job.on_text, which may be empty, also receives

 private:
  LoadedModel model_;
  Stepper stepper_;
  std::vector<std::unique_ptr<Stepper>> others_;
  std::vector<std::int64_t> separator_;
};
}  // namespace charnn::cli
