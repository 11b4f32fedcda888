#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/data/vocabulary.h"
#include "core/sample/sampler.h"
#include "core/sample/stops.h"
#include "fast/stepper.h"

namespace charnn {

/// What is read before every prompt, and not shown: the last symbol of the separator of documents, so that the prompt
/// begins as a document does, else a line break. A network that was trained on one long text has seen a zero state only
/// in the middle of it, and makes little of a prompt that follows nothing. Without a line break in the vocabulary it is
/// empty.
std::vector<std::int64_t> beginning(const Vocabulary& vocabulary, const std::string& separator);

/// One text to be written.
struct TextRequest {
  std::vector<std::int64_t> prompt;  ///< without any the first symbol is drawn evenly
  std::shared_ptr<const Sampler> sampler;
  std::int64_t length = 0;  ///< symbols to write at most
  std::uint64_t seed = 0;
  std::function<bool(std::int64_t id)> emit;  ///< told of each symbol as it is drawn; false ends the text
};

/// Writes texts side by side: each of them moves on by one symbol in a step, be it one of its prompt or one that is
/// drawn, and texts may come and go between steps. Side by side they are several times as fast as one after another,
/// and each is the text of its seed alone but for rounding.
///
/// Where a document starts (`separator` may be empty), the state begins anew, as it did in training.
class Generator {
 public:
  /// `stepper` must outlive the generator.
  Generator(const Stepper& stepper, std::vector<std::int64_t> separator);
  ~Generator();
  Generator(Generator&&) noexcept;

  /// Returns a number that stands for the text: 0, 1, ...
  std::int64_t add(TextRequest request);
  void cancel(std::int64_t text);  ///< as if emit() had said so; nothing if it has ended

  /// Moves every text on by one symbol. Returns those that ended.
  std::vector<std::int64_t> step();

  bool idle() const noexcept;

 private:
  struct Text;

  void take_in();
  void draw_all();
  void leave_out(const std::vector<std::int64_t>& ended);

  const Stepper& stepper_;
  std::vector<std::int64_t> separator_;
  std::vector<Text> texts_;
  std::size_t in_state_ = 0;  ///< texts that have a stream in state_; those after them are new
  StepState state_;
  std::vector<float> logits_;  ///< [texts, V]
  std::vector<std::int64_t> ids_;
  std::int64_t next_ = 0;
};

/// One text as a whole. `keep_on` is asked before every symbol, the prompt's too; false ends the text.
void generate(
    const Stepper& stepper, std::span<const std::int64_t> separator, TextRequest request,
    const std::function<bool()>& keep_on = [] { return true; });

}  // namespace charnn
