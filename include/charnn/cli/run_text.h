#pragma once

#include <optional>
#include <string>

#include "charnn/data/corpus.h"

namespace charnn::cli {

/// Opens a run's text. A large one is not gone through again if the index in the file `index` (see
/// RunFolder::text_index()) fits it.
Corpus open_text(const DataConfig& config, std::optional<Vocabulary> vocabulary, const std::string& index);

/// Leaves the index of a large text there for the next time. Where that cannot be written, it says so.
void keep_index(const Corpus& corpus, const std::string& index);

}  // namespace charnn::cli
