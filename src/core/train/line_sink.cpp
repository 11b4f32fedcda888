#include "core/train/line_sink.h"
#include <cmath>
#include <fmt/format.h>
#include "core/base/terminal.h"

namespace charnn {
std::string describe_loss(double nats) { return fmt::format("{:.4f} nats/char ({:.3f} bits/char)", nats, bits(nats)); }

std::string describe_seconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string describe_limit(std::int64_t last_step) { return last_step > 0 ? fmt::format(" of {}", last_step) : ""; }

LineSink::LineSink(std::shared_ptr<spdlog::logger> logger, std::chrono::seconds interval)
    : logger_(std::move(logger)), interval_(interval) {}

void LineSink::begin(const RunInfo& run) {
  last_step_ = run.last_step;
  logger_->info("{}", run.title);
  if (run.first_step > 0) logger_->info("resumed at step {}{}", run.first_step, describe_limit(run.last_step));
}

void LineSink::record(const StepInfo& s) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_line_) return;
  next_line_ = now + interval_;
  const double left =
      static_cast<double>(last_step_ - s.step) * (static_cast<double>(s.chars) / static_cast<double>(s.step));
  logger_->info("step {}{}, epoch {:.2f}, loss {:.4f}, lr {:.2g}, grad norm {:.2f}, {:.0f} chars/s{}", s.step,
                describe_limit(last_step_), s.epoch, s.loss, s.lr, s.grad_norm, s.chars_per_second,
                last_step_ > 0 && s.chars_per_second > 0
                    ? fmt::format(", {} left", describe_seconds(left / s.chars_per_second))
                    : "");
}

void LineSink::eval(const EvalInfo& e) {
  logger_->info("step {}: validation loss {}{}", e.step, describe_loss(e.result.loss()),
                e.best ? ", the best so far" : "");
  logger_->info("sample:\n{}", safe_for_terminal(e.sample));
}

void LineSink::warn(const Warning& w) { logger_->warn("step {}: warning: {}", w.step, safe_for_terminal(w.message)); }

void LineSink::end(const EndInfo& e) {
  logger_->info("{} at step {} after {}", e.reason, e.step, describe_seconds(e.elapsed_seconds));
  logger_->flush();
}
}  // namespace charnn
