#pragma once
#include <span>
#include <string>
#include "core/data/corpus.h"

namespace charnn::cli {
/// A text and what each of its characters costs.
struct ScoredText {
  const Corpus& corpus;
  std::span<const float> nats;  ///< -log p of each symbol; NaN: it was not predicted, as the first one
};

/// To stdout, a line each; tabs, line breaks and the like in a text are written as \t, \n, \x1b. JSON: an object a
/// line.
void print_lines(const ScoredText& text, bool json);
void print_chars(const ScoredText& text, bool json);

/// A web page that needs no other file. `title` stands at its head. Throws as write_file().
void write_score_html(const ScoredText& text, const std::string& path, const std::string& title, double bits_per_char);
}  // namespace charnn::cli
