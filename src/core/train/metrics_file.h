#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>
#include <nlohmann/json_fwd.hpp>

namespace charnn {
/// Where training stood, and what was measured there; NaN where a record does not say.
struct MetricsPoint {
  double step = 0, epoch = 0, chars = 0, seconds = 0;
  double loss = 0;  ///< nats per character
  double lr = 0, grad_norm = 0;
};

/// What metrics.jsonl tells of a run, in the order in which it happened.
struct Metrics {
  struct Event {
    double step = 0;
    std::string name;
  };
  std::vector<MetricsPoint> steps;
  std::vector<MetricsPoint> evals;  ///< their loss is that of validation
  std::vector<Event> warnings;
};

/// Reads metrics.jsonl as metrics_sink.h writes it. A last line that a crash cut off, and events and keys that are not
/// known, are passed over. Throws Error (usage), with the line, if it is no such file.
Metrics read_metrics(const std::string& path);

/// Hands out the file's records with their lines (newline included) until `use` returns false. Errors as
/// read_metrics(), but an empty file is none.
void read_records(const std::string& path,
                  const std::function<bool(const nlohmann::json& record, std::string_view line)>& use);

/// The number under `key`; NaN if there is none.
double number_in(const nlohmann::json& record, const char* key);
}  // namespace charnn
