#pragma once
#include <string>
#include <vector>
#include "core/cli/run_folder.h"

namespace charnn::cli {
struct ScoredText {
  const Corpus& corpus;
  std::vector<float> nats;  ///< -log p of each symbol; NaN for the first, if that is not predicted
};

/// Calls each(position, symbol's text, its nats) for every symbol until it returns false.
template <class Each>
void for_each_symbol(const ScoredText& text, Each each) {
  const Corpus& corpus = text.corpus;
  std::vector<std::int64_t> ids;
  for (std::int64_t position = 0; position < corpus.size();) {
    ids.resize(std::min<std::size_t>(text.nats.size() - static_cast<std::size_t>(position), 1 << 16));
    corpus.copy(position, ids);
    for (const std::int64_t id : ids) {
      if (!each(position, corpus.vocabulary().text(id),
                static_cast<double>(text.nats[static_cast<std::size_t>(position)])))
        return;
      ++position;
    }
  }
}

/// Writes a self-contained web page: the text coloured by surprise, and for each character what was expected there.
/// Throws Error (usage) if the file exists.
void write_page(const ScoredText& text, const LoadedModel& model, const std::string& path, const std::string& title,
                double bits_per_char);
}  // namespace charnn::cli
