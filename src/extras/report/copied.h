#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>
#include "core/data/corpus.h"

namespace charnn {
/// How much of a text stands word for word in a corpus.
struct CopyReport {
  static constexpr std::array<std::int64_t, 3> lengths{8, 16, 32};

  std::int64_t longest = 0;          ///< symbols of the longest stretch that both have
  std::int64_t longest_in_text = 0;  ///< where it begins in the text
  std::int64_t longest_in_corpus = 0;
  /// Share of the text's stretches of that length (all places, overlapping) that the corpus has; NaN if the text is
  /// shorter.
  std::array<double, lengths.size()> shares{};
};

/// Goes through the corpus once, in memory that depends on the text only: the corpus is matched against the text's
/// suffix automaton (Blumer et al. 1985, "The smallest automaton recognizing the subwords of a text"). Throws as
/// Corpus::copy().
CopyReport find_copies(std::span<const std::int64_t> text, const Corpus& corpus);
}  // namespace charnn
