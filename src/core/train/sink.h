#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include "core/train/eval_result.h"

namespace charnn {
/// What a run is, told to every sink once, when it begins or goes on.
struct RunInfo {
  std::string title = {};   ///< e.g. "lstm 2 x 128, 224,834 parameters, vocabulary 65"
  std::string config = {};  ///< JSON
  std::int64_t parameters = 0;
  std::int64_t vocabulary = 0;
  std::int64_t train_chars = 0;
  std::int64_t val_chars = 0;
  std::int64_t first_step = 0;  ///< above 0 for a resumed run
  std::int64_t last_step = 0;   ///< the plan's end; 0: no step limit
  double elapsed_before = 0;    ///< seconds already spent by this run, before this process
};

/// Where training stands after a step.
struct StepInfo {
  std::int64_t step = 0;
  double epoch = 0;        ///< with its fraction
  std::int64_t chars = 0;  ///< characters trained on since the run began
  double loss = 0;         ///< nats per character; of this step, or the mean over the steps of a record
                           ///< that were not skipped (NaN if all were)
  double lr = 0;
  double grad_norm = 0;  ///< before clipping
  double chars_per_second = 0;
  double elapsed_seconds = 0;  ///< over all resumptions

  std::int64_t skipped = 0;  ///< steps of the run so far that were not finite
  // Measured for records only:
  double update_ratio = 0;      ///< norm of the weights' last change over their norm
  double hidden_rms = 0;        ///< root mean square of the hidden state, of the layer where it is smallest
  double hidden_saturated = 0;  ///< share of hidden units beyond 0.98, of the layer where it is largest
};

/// Something that a person should know.
struct Warning {
  std::int64_t step = 0;
  std::string name;     ///< for programs: "overfitting", ...
  std::string message;  ///< what was seen, and what to try
};

/// Shows a warning to a person at once.
using Warn = std::function<void(const Warning&)>;

struct EvalInfo {
  std::int64_t step = 0;
  double epoch = 0;
  std::int64_t chars = 0;
  EvalResult result;
  double lr = 0;
  bool best = false;
  double seconds = 0;  ///< that the evaluation took
  double elapsed_seconds = 0;
  std::string sample;  ///< text the network wrote
};

struct EndInfo {
  std::string reason;  ///< "finished", "stopped by SIGINT", ...
  std::int64_t step = 0;
  double elapsed_seconds = 0;
};

/// Receives what happens in training; one implementation a file.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void begin(const RunInfo&) {}
  virtual void step(const StepInfo&) {}    ///< after every step
  virtual void record(const StepInfo&) {}  ///< every log_every steps; loss is the mean since the last record
  virtual void activity(const std::string& /*what*/) {}  ///< "validating", "saving": no steps are taken meanwhile
  virtual void eval(const EvalInfo&) {}
  virtual void warn(const Warning&) {}
  virtual void end(const EndInfo&) {}
};
}  // namespace charnn
