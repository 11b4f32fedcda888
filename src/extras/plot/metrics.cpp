#include "extras/plot/metrics.h"
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/train/metrics_sink.h"

namespace charnn {
namespace {
MetricsPoint point_of(const nlohmann::json& record) {
  return {number_in(record, "step"),     number_in(record, "epoch"),
          number_in(record, "chars"),    number_in(record, "elapsed_seconds"),
          number_in(record, "loss"),     number_in(record, "lr"),
          number_in(record, "grad_norm")};
}
}  // namespace

Metrics read_metrics(const std::string& path) {
  Metrics metrics;
  bool empty = true;
  read_records(path, [&](const nlohmann::json& record, std::string_view) {
    const std::string event = text_in(record, "event");
    if (event == "step") metrics.steps.push_back(point_of(record));
    if (event == "eval") metrics.evals.push_back(point_of(record));
    if (event == "warning") metrics.warnings.push_back({number_in(record, "step"), text_in(record, "name")});
    empty = false;
    return true;
  });
  if (empty)
    fail_input(fmt::format("metrics file {} is empty", path), "metrics.jsonl as written by charnn train",
               "name the folder of a run that has begun");
  return metrics;
}
}  // namespace charnn
