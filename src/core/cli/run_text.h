#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/cli/run_folder.h"
#include "core/data/corpus.h"

namespace charnn::cli {

/// Opens a run's text. A large one is not gone through again if the index in the file `index` (see
/// RunFolder::text_index()) fits it.
Corpus open_text(const DataConfig& config, std::optional<Vocabulary> vocabulary, const std::string& index);

/// The text that a trained network was trained on, or other `files` if there are any, as it reads them.
Corpus open_text_of(const LoadedModel& model, const std::vector<std::string>& files);

/// Leaves the index of a large text there for the next time. Where that cannot be written, it says so.
void keep_index(const Corpus& corpus, const std::string& index);

}  // namespace charnn::cli
