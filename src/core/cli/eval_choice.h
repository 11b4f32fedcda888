#pragma once

#include <cstdint>

#include "core/cli/run_folder.h"
#include "core/train/evaluate.h"

namespace charnn::cli {

/// How a text is read by the commands that measure it.
struct EvalChoice {
  EvalOptions options;
  Precision precision = Precision::fp32;
  std::int64_t threads = 0;
};

/// Adds --window, --streams, --precision and --threads to `command`.
void add_eval_choice(CLI::App& command, EvalChoice& choice);

/// Puts the network where it computes, and makes it compute so. Throws as CharRnn::use().
void make_ready(const LoadedModel& model, const EvalChoice& choice);

}  // namespace charnn::cli
