#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>
#include "core/data/corpus.h"

namespace charnn {
/// How much of a text is copied from a corpus, word for word.
struct CopyReport {
  static constexpr std::array<std::int64_t, 3> lengths{8, 16, 32};

  std::int64_t longest = 0;            ///< symbols of the longest common substring
  std::int64_t longest_in_text = 0;    ///< its offset in the text
  std::int64_t longest_in_corpus = 0;  ///< and in the corpus
  /// Share of the text's (overlapping) substrings of each length that occur in the corpus; NaN if the text is shorter.
  std::array<double, lengths.size()> shares{};
};

/// Reads the corpus once, in memory that depends only on the text: matches it against the text's suffix automaton
/// (Blumer et al. 1985, "The smallest automaton recognizing the subwords of a text"). Throws as Corpus::copy().
CopyReport find_copies(std::span<const std::int64_t> text, const Corpus& corpus);
}  // namespace charnn
