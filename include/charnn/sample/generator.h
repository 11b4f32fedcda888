#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "charnn/base/random.h"
#include "charnn/data/vocabulary.h"
#include "charnn/model/stepper.h"
#include "charnn/sample/sample_config.h"

namespace charnn {

/// Draws an index with probability softmax(logits / temperature) (Ackley, Hinton, Sejnowski 1985);
/// temperature 0 takes the largest logit, the first one among equals.
std::int64_t draw(std::span<const float> logits, double temperature, Random& random);

/// What stands for an empty prompt, and is not shown: the last symbol of the separator of documents, so that
/// the text begins as a document does, else a line break. Without a line break in the vocabulary it stays
/// empty.
std::vector<std::int64_t> beginning(const Vocabulary& vocabulary, const std::string& separator);

/// Notices where documents start, as Corpus::copy_with_starts() does.
class DocumentStarts {
 public:
  explicit DocumentStarts(std::span<const std::int64_t> separator)
      : separator_(separator.begin(), separator.end()) {}

  /// Whether a document starts with `id`, the symbol after those given before: it completes a separator.
  bool at(std::int64_t id);

 private:
  std::vector<std::int64_t> separator_;
  std::vector<std::int64_t> latest_;
};

/// Feeds `prompt` to the network, then draws `config.length` symbols, each fed back, and hands each id to
/// `emit` at once; `emit` returns false to stop early. Without any prompt the first symbol is drawn evenly.
/// Where a document starts (`separator` may be empty), the state begins anew, as it did in training. The same
/// arguments give the same symbols.
void generate(const Stepper& stepper, std::span<const std::int64_t> prompt,
              std::span<const std::int64_t> separator, const SampleConfig& config, std::uint64_t seed,
              const std::function<bool(std::int64_t)>& emit);

/// The same for one text per seed, side by side; `emit` is told which of them. Side by side they are several
/// times as fast, and each is the text of its seed but for rounding.
void generate(const Stepper& stepper, std::span<const std::int64_t> prompt,
              std::span<const std::int64_t> separator, const SampleConfig& config,
              std::span<const std::uint64_t> seeds,
              const std::function<bool(std::size_t text, std::int64_t id)>& emit);

/// Finds the end of a text that goes on until a separator, symbol by symbol.
class UntilSeparator {
 public:
  /// Empty: there is no end.
  explicit UntilSeparator(std::vector<std::int64_t> separator) : separator_(std::move(separator)) {}

  /// Takes the next symbol; returns those that can be shown now. What may be the beginning of the separator
  /// waits, and the separator itself is never shown.
  std::vector<std::int64_t> add(std::int64_t id);
  bool ended() const noexcept { return ended_; }
  /// What still waits when the text ends otherwise.
  std::vector<std::int64_t> rest() { return std::exchange(waiting_, {}); }

 private:
  std::vector<std::int64_t> separator_;
  std::vector<std::int64_t> waiting_;
  bool ended_ = false;
};

}  // namespace charnn
