#pragma once
#include <string>
#include <vector>

namespace charnn {
/// Where training stood, and what was measured there; NaN for values that a record does not have.
struct MetricsPoint {
  double step = 0, epoch = 0, chars = 0, seconds = 0;
  double loss = 0;  ///< nats per character
  double lr = 0, grad_norm = 0;
};

/// The events of a run in metrics.jsonl, in order.
struct Metrics {
  struct Event {
    double step = 0;
    std::string name;
  };
  std::vector<MetricsPoint> steps;
  std::vector<MetricsPoint> evals;  ///< with the validation loss
  std::vector<Event> warnings;
};

/// Reads metrics.jsonl as MetricsSink writes it; unknown events and keys are ignored. Errors as for read_records();
/// Error (usage) for an empty file, too.
Metrics read_metrics(const std::string& path);
}  // namespace charnn
