#pragma once
#include <nlohmann/json_fwd.hpp>
#include "core/data/vocabulary.h"

namespace charnn {
/// As a checkpoint's metadata holds it: the symbols as texts; none for bytes, which are always all 256.
nlohmann::ordered_json vocabulary_to_json(const Vocabulary& vocabulary);
/// Throws nlohmann::json::exception if a value is missing or wrong, Error (usage) as Vocabulary's constructor.
Vocabulary vocabulary_from_json(const nlohmann::json& json);
}  // namespace charnn
