#pragma once
#include "core/cli/extras.h"

namespace charnn::cli {
void add_next_command(CLI::App& app, const Globals& globals, Action& action);
}  // namespace charnn::cli
