#pragma once
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <spdlog/logger.h>
#include "core/base/clock.h"
#include "core/base/running_average.h"
#include "core/base/terminal.h"
#include "core/train/sink.h"

namespace charnn {
/// What the two displays of training have in common.
class ConsoleSink : public Sink {
 public:
  void begin(const RunInfo& run) override;
  void eval(const EvalInfo& eval) override;
  void warn(const Warning& warning) override;
  void end(const EndInfo& end) override;

 protected:
  /// `style`: an escape sequence for terminals with color, or empty.
  virtual void print(const std::string& text, const char* style) = 0;
  std::string place(std::int64_t step) const;          ///< "step 300 of 5000"
  static std::string time_left(const StepInfo& step);  ///< "3 min 20 s left"; empty if unknown

  std::int64_t last_step_ = 0;
  std::optional<double> best_loss_;  ///< of validation
};

/// One line on a terminal, redrawn in place; evaluations and samples scroll above it.
class BarSink : public ConsoleSink {
 public:
  /// `blocks`: the terminal shows Unicode's block elements.
  BarSink(std::FILE* terminal, bool color, bool blocks) : terminal_(terminal), color_(color), blocks_(blocks) {}
  ~BarSink() override { erase(); }

  void step(const StepInfo& step) override;
  void activity(const std::string& what) override;

 private:
  void print(const std::string& text, const char* style) override;  ///< above the bar
  void draw(const std::string& activity);
  void erase();
  std::string bar(double done) const;
  void put(const std::string& text);
  std::size_t width() const { return terminal_columns(::fileno(terminal_)).value_or(80); }

  std::FILE* terminal_;
  bool color_, blocks_;
  std::size_t drawn_ = 0;  ///< width of the line on the terminal
  StepInfo latest_;
  RunningAverage loss_;
  Clock::time_point next_draw_;
};

/// Plain lines, for a log file or a pipe: at most one line every `interval`, and one per evaluation.
class LineSink : public ConsoleSink {
 public:
  LineSink(std::shared_ptr<spdlog::logger> logger, std::chrono::seconds interval)
      : logger_(std::move(logger)), interval_(interval) {}

  void record(const StepInfo& step) override;

 private:
  void print(const std::string& text, const char* /*style*/) override { logger_->info("{}", text); }

  std::shared_ptr<spdlog::logger> logger_;
  std::chrono::seconds interval_;
  Clock::time_point next_line_;
};
}  // namespace charnn
