#include "charnn/train/metrics_file.h"

#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "charnn/base/error.h"
#include "charnn/base/files.h"

namespace charnn {
namespace {

using nlohmann::json;

double number(const json& record, const char* key) {
  const auto found = record.find(key);
  return found != record.end() && found->is_number() ? found->get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
}

std::string word(const json& record, const char* key) {
  const auto found = record.find(key);
  return found != record.end() && found->is_string() ? found->get<std::string>() : "";
}

MetricsPoint point_of(const json& record) {
  return {number(record, "step"),     number(record, "epoch"),
          number(record, "chars"),    number(record, "elapsed_seconds"),
          number(record, "loss"),     number(record, "lr"),
          number(record, "grad_norm")};
}

}  // namespace

Metrics read_metrics(const std::string& path) {
  const std::string text = read_file(path, "metrics file");
  Metrics metrics;
  std::size_t line = 1;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1, ++line) {
    const json record = json::parse(text.begin() + static_cast<std::ptrdiff_t>(at),
                                    text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    const std::string event = record.is_object() ? word(record, "event") : "";
    if (event.empty() || (line == 1 && number(record, "schema_version") != 1))
      fail_input(fmt::format("metrics file {}: line {} is no record of a run", path, line),
                 "metrics.jsonl as charnn train writes it", "name a run folder, or the metrics.jsonl in it");
    if (event == "step") metrics.steps.push_back(point_of(record));
    if (event == "eval") metrics.evals.push_back(point_of(record));
    if (event == "warning") metrics.warnings.push_back({number(record, "step"), word(record, "name")});
  }
  if (line == 1)
    fail_input(fmt::format("metrics file {} is empty", path), "metrics.jsonl as charnn train writes it",
               "name the folder of a run that has begun");
  return metrics;
}

}  // namespace charnn
