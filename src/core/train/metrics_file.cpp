#include "core/train/metrics_file.h"
#include <limits>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/io/json_config.h"

namespace charnn {
namespace {
using nlohmann::json;

std::string word(const json& record, const char* key) {
  const auto found = record.is_object() ? record.find(key) : record.end();
  return found != record.end() && found->is_string() ? found->get<std::string>() : "";
}

MetricsPoint point_of(const json& record) {
  return {number_in(record, "step"),     number_in(record, "epoch"),
          number_in(record, "chars"),    number_in(record, "elapsed_seconds"),
          number_in(record, "loss"),     number_in(record, "lr"),
          number_in(record, "grad_norm")};
}
}  // namespace

namespace {
/// Null for what is no JSON, or so long that no record can be.
json parse_line(std::string_view line) {
  constexpr std::size_t longest = std::size_t{1} << 24;
  try {
    return line.size() > longest ? json() : parse_strict(line);
  } catch (const std::invalid_argument&) {
    return {};
  }
}
}  // namespace

double number_in(const json& record, const char* key) {
  const auto found = record.find(key);
  return found != record.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

void read_records(const std::string& path, const std::function<bool(const json& record, std::string_view line)>& use) {
  constexpr std::size_t most = std::size_t{1} << 30;
  const std::string text = read_file(path, "metrics file", most);
  std::size_t number = 1;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1, ++number) {
    const std::string_view line = std::string_view(text).substr(at, end + 1 - at);
    const json record = parse_line(line);
    if (word(record, "event").empty() || (number == 1 && number_in(record, "schema_version") != 1))
      fail_input(fmt::format("metrics file {}: line {} is no record of a run", path, number),
                 "metrics.jsonl as charnn train writes it",
                 "name a run folder, or the metrics.jsonl in it. If it is damaged, move it away: the run can go on "
                 "without");
    if (!use(record, line)) return;
  }
}

Metrics read_metrics(const std::string& path) {
  Metrics metrics;
  bool empty = true;
  read_records(path, [&](const json& record, std::string_view) {
    const std::string event = word(record, "event");
    if (event == "step") metrics.steps.push_back(point_of(record));
    if (event == "eval") metrics.evals.push_back(point_of(record));
    if (event == "warning") metrics.warnings.push_back({number_in(record, "step"), word(record, "name")});
    empty = false;
    return true;
  });
  if (empty)
    fail_input(fmt::format("metrics file {} is empty", path), "metrics.jsonl as charnn train writes it",
               "name the folder of a run that has begun");
  return metrics;
}
}  // namespace charnn
