#pragma once

#include <chrono>
#include <functional>
#include <memory>
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

/// The same as the network takes it.
struct TextOrder {
  std::vector<std::int64_t> prompt;              ///< as it is fed, with beginning() before it
  std::string shown_prompt;                      ///< what of it the network has read
  std::string note;                              ///< what was left out of the prompt or replaced; or empty
  std::vector<std::vector<std::int64_t>> stops;  ///< any of them ends the text
  std::shared_ptr<const Sampler> sampler;
  double max_seconds = 0;
};

/// When a text's time is up.
class Deadline {
 public:
  explicit Deadline(double seconds) : seconds_(seconds), start_(Clock::now()) {}
  bool passed() const {
    return seconds_ > 0 && std::chrono::duration<double>(Clock::now() - start_).count() >= seconds_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  double seconds_;
  Clock::time_point start_;
};

/// A trained network, ready to write.
class TextMaker {
 public:
  /// `threads`: 0 for what is fastest for one text, or for several if `many`.
  TextMaker(LoadedModel model, StepWeights weights, std::int64_t threads, bool many);

  /// Throws Error (usage): a prompt or stop with characters that the network does not know, an empty stop, a document's
  /// end where there are no documents, and as Sampler.
  TextOrder order(const TextOptions& options) const;

  const LoadedModel& model() const noexcept { return model_; }
  const Vocabulary& vocabulary() const noexcept { return model_.checkpoint.vocabulary; }
  const Stepper& stepper() const noexcept { return stepper_; }
  const std::vector<std::int64_t>& separator() const noexcept { return separator_; }  ///< of documents; or empty
  std::string text(const std::vector<std::int64_t>& ids) const;

  /// Writes one text: `show` is handed its symbols as they come, without the stop that ends it. False of `show` or
  /// `keep_on` ends it, too.
  void write(const TextOrder& order, std::uint64_t seed,
             const std::function<bool(const std::vector<std::int64_t>&)>& show,
             const std::function<bool()>& keep_on) const;

 private:
  LoadedModel model_;
  Stepper stepper_;
  std::vector<std::int64_t> separator_;
};

}  // namespace charnn::cli
