#pragma once

#include <cstdint>

#include "core/cli/text_maker.h"

namespace charnn::cli {

/// A conversation on the terminal: each line is the beginning of a text, or a command. Where stdin is no terminal its
/// lines are taken as they are. The texts have the seeds `seed`, `seed` + 1, ... Returns the exit status.
int interact(const TextMaker& maker, TextOptions options, std::uint64_t seed, bool raw);

}  // namespace charnn::cli
