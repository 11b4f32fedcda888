#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include "core/base/files.h"
#include "core/data/batcher.h"
#include "core/train/evaluate.h"

namespace charnn {
/// What every sink learns about a run when it starts or resumes.
struct RunInfo {
  std::string title = {};   ///< e.g. "lstm 2 x 128, 224,834 parameters, vocabulary 65"
  std::string config = {};  ///< JSON
  std::int64_t parameters = 0, vocabulary = 0, train_chars = 0, val_chars = 0;
  std::int64_t first_step = 0;           ///< above 0 for a resumed run
  std::optional<double> best_loss = {};  ///< of validation, in a resumed run
  std::int64_t last_step = 0;            ///< the plan's end as known now; 0: not known
};

/// Where training stands after a step.
struct StepInfo {
  std::int64_t step = 0;
  double epoch = 0;        ///< see epoch_of()
  std::int64_t chars = 0;  ///< characters trained on since the run began
  double loss = 0;         ///< nats per character; in a record the mean of all steps but skipped ones (NaN if none)
  double lr = 0, grad_norm = 0;                      ///< norm before clipping
  double chars_per_second = 0, elapsed_seconds = 0;  ///< time over all resumptions
  std::int64_t skipped = 0;                          ///< steps of the run so far that were not finite
  std::int64_t last_step = 0;                        ///< the plan's end as known now; 0: not known
  double seconds_left = 0;                           ///< to the end of training, with its evaluations; 0: not known
  // Measured for records only:
  double update_ratio = 0;      ///< norm of the weights' last change, divided by their norm
  double hidden_rms = 0;        ///< root mean square of the hidden state, of the layer where it is smallest
  double exchange_share = 0;    ///< of the time, spent exchanging gradients with other processes
  double hidden_saturated = 0;  ///< share of hidden units beyond 0.98, of the layer where it is largest
};

struct EvalInfo {
  std::int64_t step = 0;
  double epoch = 0;
  std::int64_t chars = 0;
  EvalResult result;
  double lr = 0;
  bool best = false;
  double seconds = 0, elapsed_seconds = 0;  ///< of the evaluation; of the run
  std::string sample;                       ///< generated text
};

struct Warning {
  std::int64_t step = 0;
  std::string name;     ///< for programs: "overfitting", ...
  std::string message;  ///< what was observed, and what to try
};
/// Shows a warning to the user at once.
using Warn = std::function<void(const Warning&)>;

struct EndInfo {
  std::string reason;  ///< "finished", "stopped by SIGINT", ...
  std::int64_t step = 0;
  double elapsed_seconds = 0;
};

/// Receives the events of training.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void begin(const RunInfo&) {}
  virtual void step(const StepInfo&) {}                  ///< after every step
  virtual void record(const StepInfo&) {}                ///< every log_every steps
  virtual void activity(const std::string& /*what*/) {}  ///< "validating", "saving": between steps
  virtual void eval(const EvalInfo&) {}
  virtual void warn(const Warning&) {}
  virtual void end(const EndInfo&) {}
};

/// A sink's file. If it cannot be written (a full disk), training goes on: the data waits in memory, and the first of
/// several failures in a row gives a warning.
class SinkFile {
 public:
  SinkFile(std::string path, Warn warn) : file_(std::move(path)), warn_(std::move(warn)) {}

  void append(std::int64_t step, std::string_view bytes);
  void finish() { file_.finish(); }  ///< throws Error (failure) if data still waits

 private:
  AppendFile file_;
  Warn warn_;
  bool failing_ = false;
};

double epoch_of(const Batcher& batcher);       ///< passes over the text so far, with the fraction of the current one
std::string describe_loss(double nats);        ///< "1.4821 nats/char (2.138 bits/char)"
std::string describe_seconds(double seconds);  ///< "3 min 20 s", "45 s"
}  // namespace charnn
