#pragma once

#include <string>

#include "core/data/corpus_index.h"

namespace charnn {

/// Writes the index atomically, as a safetensors file.
void save_corpus_index(const std::string& path, const CorpusIndex& index);

/// Throws Error (usage) if the file is not a whole index. Whether it fits a text is for Corpus to see.
CorpusIndex load_corpus_index(const std::string& path);

}  // namespace charnn
