#include "core/train/console_sinks.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace charnn {
namespace {
constexpr const char* plain = "";
constexpr const char* dim = "\x1b[2m";
constexpr const char* yellow = "\x1b[33m";
constexpr const char* cyan = "\x1b[36m";
constexpr const char* reset = "\x1b[0m";
}  // namespace

std::string ConsoleSink::place(std::int64_t step) const {
  return last_step_ > 0 ? fmt::format("step {} of {}", step, last_step_) : fmt::format("step {}", step);
}

std::string ConsoleSink::time_left(const StepInfo& s) {
  return s.seconds_left > 0 ? describe_seconds(s.seconds_left) + " left" : "";
}

void ConsoleSink::begin(const RunInfo& run) {
  last_step_ = run.last_step;
  print(run.title, plain);
  if (run.first_step > 0) print("resumed at " + place(run.first_step), plain);
}

void ConsoleSink::eval(const EvalInfo& e) {
  val_loss_ = e.result.loss();
  const char* best = e.best ? ", the best so far" : "";
  print(fmt::format("step {}: validation loss {}{}", e.step, describe_loss(val_loss_), best), plain);
  print("sample:\n" + safe_for_terminal(e.sample), dim);
}

void ConsoleSink::warn(const Warning& w) {
  print(fmt::format("step {}: warning: {}", w.step, safe_for_terminal(w.message)), yellow);
}

void ConsoleSink::end(const EndInfo& e) {
  print(fmt::format("{} at step {} after {}", e.reason, e.step, describe_seconds(e.elapsed_seconds)), plain);
}

void LineSink::record(const StepInfo& s) {
  const auto now = Clock::now();
  if (now < next_line_) return;
  next_line_ = now + interval_;
  last_step_ = s.last_step;
  const std::string left = time_left(s);
  print(fmt::format("{}, epoch {:.2f}, loss {:.4f}, lr {:.2g}, grad norm {:.2f}, {:.0f} chars/s{}{}", place(s.step),
                    s.epoch, s.loss, s.lr, s.grad_norm, s.chars_per_second, left.empty() ? "" : ", ", left),
        plain);
}

void BarSink::erase() {
  if (drawn_ == 0) return;
  // If the terminal has become narrower, it has wrapped the line; the cursor is in its last row.
  if (const std::size_t rows_above = (drawn_ - 1) / width(); rows_above > 0)
    fmt::print(terminal_, "\x1b[{}A", rows_above);
  fmt::print(terminal_, "\r\x1b[J");
  std::fflush(terminal_);
  drawn_ = 0;
}

void BarSink::print(const std::string& text, const char* style) {
  erase();
  fmt::print(terminal_, "{}{}{}\n", color_ ? style : "", text, color_ ? reset : "");
  std::fflush(terminal_);
}

void BarSink::draw(const std::string& activity) {
  erase();
  const StepInfo& s = latest_;
  const std::size_t columns = width() - 1;  // a full line would wrap
  std::string bar;
  constexpr std::size_t bar_width = 20;
  if (last_step_ > 0 && columns > bar_width + 40) {
    const double done = std::min(1.0, static_cast<double>(s.step) / static_cast<double>(last_step_));
    const auto full = static_cast<std::size_t>(bar_width * done);
    bar = fmt::format("[{:<{}}] ", std::string(full, '='), bar_width);
  }
  const auto field = [](const std::string& shown) { return shown.empty() ? "" : shown + "  "; };
  std::string text = fmt::format(
      "{}{}  loss {:.3f}  {}{}epoch {:.2f}  {:.0f} chars/s  lr {:.2g}  |g| {:.2f}", field(activity), place(s.step),
      loss_.value(), field(val_loss_ > 0 ? fmt::format("val {:.3f} ({:.2f} bits)", val_loss_, bits(val_loss_)) : ""),
      field(time_left(s)), s.epoch, s.chars_per_second, s.lr, s.grad_norm);
  // The most important fields come first; those that do not fit are left out.
  if (bar.size() + text.size() > columns)
    text.resize(std::min(columns - bar.size(), text.rfind("  ", columns - bar.size())));
  fmt::print(terminal_, "{}{}{}{}", color_ ? cyan : "", bar, color_ ? reset : "", text);
  std::fflush(terminal_);
  drawn_ = bar.size() + text.size();
}

void BarSink::step(const StepInfo& s) {
  if (std::isfinite(s.loss)) loss_.add(s.loss, 0.98);
  latest_ = s;
  last_step_ = s.last_step;
  const auto now = Clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + std::chrono::milliseconds(100);
  draw("");
}

void BarSink::activity(const std::string& what) {
  if (latest_.step > 0) draw(what);
}
}  // namespace charnn
