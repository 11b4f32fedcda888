#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <gtest/gtest.h>
#include "core/sample/generator.h"
#include "tests/core/sample/steppers.h"

namespace charnn::test {

using Ids = std::vector<std::int64_t>;

inline const Vocabulary alphabet(Tokens::chars, {U'a', U'b', U'c', U'd', U'é'});

inline std::shared_ptr<const Sampler> sampler(const SampleConfig& config = {.temperature = 1},
                                              const Vocabulary& vocabulary = alphabet) {
  return std::make_shared<Sampler>(config, vocabulary);
}

/// What is handed out of a text.
struct Written {
  Ids ids{};
  std::string text{};
  std::vector<std::string> pieces{};
  std::size_t most_pieces = std::numeric_limits<std::size_t>::max();

  std::function<bool(const TextPiece&)> writer() {
    return [this](const TextPiece& piece) {
      ids.insert(ids.end(), piece.ids.begin(), piece.ids.end());
      text += piece.text;
      pieces.emplace_back(piece.text);
      return pieces.size() < most_pieces;
    };
  }
};

inline TextJob job(Ids prompt, std::int64_t length, std::uint64_t seed, Written& written) {
  return {
      .prompt = std::move(prompt), .sampler = sampler(), .length = length, .seed = seed, .on_text = written.writer()};
}

/// The text of a generator of its own.
inline Ids alone(Stepper& stepper, const Ids& prompt, std::int64_t length, std::uint64_t seed,
                 const Ids& separator = {}) {
  Written written;
  Generator generator(stepper, alphabet, separator);
  EXPECT_EQ(generate(generator, job(prompt, length, seed, written)), TextEnd::length);
  return written.ids;
}

}  // namespace charnn::test
