#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <spdlog/logger.h>
#include "core/train/sink.h"

namespace charnn {
/// Training as plain lines, for a log file or a pipe: at most one line every `interval`, and one per evaluation.
class LineSink : public Sink {
 public:
  LineSink(std::shared_ptr<spdlog::logger> logger, std::chrono::seconds interval);

  void begin(const RunInfo& run) override;
  void record(const StepInfo& step) override;
  void eval(const EvalInfo& eval) override;
  void warn(const Warning& warning) override;
  void end(const EndInfo& end) override;

 private:
  std::shared_ptr<spdlog::logger> logger_;
  std::chrono::seconds interval_;
  std::int64_t last_step_ = 0;
  std::chrono::steady_clock::time_point next_line_;
};

/// "1.4821 nats/char, 2.138 bits/char" and the like, shared by all that talk to a person.
std::string describe_loss(double nats);

/// "3 min 20 s", "45 s".
std::string describe_seconds(double seconds);

/// Where the plan ends, for "step 300 of 5000"; empty without a limit.
std::string describe_limit(std::int64_t last_step);
}  // namespace charnn
