#pragma once
#include <cstdint>
#include <span>
#include <vector>
#include "core/sample/stops.h"
#include "fast/stepper.h"

namespace charnn {
/// Reads one text, symbol by symbol. The state is reset where a document starts, as in training.
class TextReader {
 public:
  /// `stepper` must outlive the reader. `separator`, of documents, may be empty.
  TextReader(Stepper& stepper, std::span<const std::int64_t> separator)
      : stepper_(stepper),
        starts_(separator),
        state_(stepper.zero_state()),
        logits_(static_cast<std::size_t>(stepper.vocabulary_size())) {}

  void read(std::int64_t id) {
    if (starts_.at(id)) state_.clear(0);
    stepper_.step(state_, {&id, 1}, logits_);
  }
  /// Of the symbol that follows; all the same before anything is read.
  const std::vector<float>& logits() const noexcept { return logits_; }

 private:
  Stepper& stepper_;
  DocumentStarts starts_;
  State state_;
  std::vector<float> logits_;
};
}  // namespace charnn
