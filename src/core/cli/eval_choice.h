#pragma once
#include <cstdint>
#include <memory>
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

/// The network on its device, with threads and precision applied. Throws as Network::configure_cpu().
std::unique_ptr<Network> make_network(const LoadedModel& model, const EvalChoice& choice);
}  // namespace charnn::cli
