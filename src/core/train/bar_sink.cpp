#include "core/train/bar_sink.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include "core/base/terminal.h"
#include "core/train/line_sink.h"

namespace charnn {
BarSink::BarSink(std::FILE* terminal, bool color) : terminal_(terminal), color_(color) {}

BarSink::~BarSink() { erase(); }

std::size_t BarSink::width() const { return terminal_columns(::fileno(terminal_)).value_or(80); }

void BarSink::erase() {
  if (drawn_ == 0) return;
  // A terminal that has become narrower has wrapped the line; its last row is where the cursor is.
  if (const std::size_t rows_above = (drawn_ - 1) / width(); rows_above > 0)
    fmt::print(terminal_, "\x1b[{}A", rows_above);
  fmt::print(terminal_, "\r\x1b[J");
  std::fflush(terminal_);
  drawn_ = 0;
}

void BarSink::print(const std::string& line) {
  erase();
  fmt::print(terminal_, "{}\n", line);
  std::fflush(terminal_);
}

std::vector<std::string> BarSink::fields(const std::string& activity) const {
  const StepInfo& s = latest_;
  std::vector<std::string> all;
  if (!activity.empty()) all.push_back(activity);
  all.push_back(fmt::format("step {}{}", s.step, describe_limit(last_step_)));
  all.push_back(fmt::format("loss {:.3f}", loss_.value()));
  if (val_loss_ > 0) all.push_back(fmt::format("val {:.3f} ({:.2f} bits)", val_loss_, bits(val_loss_)));
  if (last_step_ > 0 && s.chars_per_second > 0) {
    const double chars_left =
        static_cast<double>(last_step_ - s.step) * static_cast<double>(s.chars) / static_cast<double>(s.step);
    all.push_back(fmt::format("{} left", describe_seconds(chars_left / s.chars_per_second)));
  }
  all.push_back(fmt::format("epoch {:.2f}", s.epoch));
  all.push_back(fmt::format("{:.0f} chars/s", s.chars_per_second));
  all.push_back(fmt::format("lr {:.2g}", s.lr));
  all.push_back(fmt::format("|g| {:.2f}", s.grad_norm));
  return all;
}

void BarSink::draw(const std::string& activity) {
  erase();
  const std::size_t columns = width() - 1;  // a full line would wrap
  std::string bar;
  constexpr std::size_t bar_width = 20;
  if (last_step_ > 0 && columns > bar_width + 40) {
    const auto full =
        static_cast<std::size_t>(static_cast<double>(bar_width) *
                                 std::min(1.0, static_cast<double>(latest_.step) / static_cast<double>(last_step_)));
    bar = fmt::format("[{:=<{}}{: <{}}] ", "", full, "", bar_width - full);
  }
  // The most telling fields come first; those for which there is no room are left out.
  std::string text;
  for (const std::string& field : fields(activity)) {
    const std::size_t gap = text.empty() ? 0 : 2;
    if (bar.size() + text.size() + gap + field.size() > columns) break;
    text.append(gap, ' ').append(field);
  }
  fmt::print(terminal_, "{}{}{}{}", color_ ? "\x1b[36m" : "", bar, color_ ? "\x1b[0m" : "", text);
  std::fflush(terminal_);
  drawn_ = bar.size() + text.size();
}

void BarSink::begin(const RunInfo& run) {
  last_step_ = run.last_step;
  print(run.title);
  if (run.first_step > 0) print(fmt::format("resumed at step {}{}", run.first_step, describe_limit(run.last_step)));
}

void BarSink::step(const StepInfo& s) {
  if (std::isfinite(s.loss)) loss_.add(s.loss, 0.98);
  latest_ = s;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + std::chrono::milliseconds(100);
  draw("");
}

void BarSink::activity(const std::string& what) {
  if (latest_.step > 0) draw(what);
}

void BarSink::eval(const EvalInfo& e) {
  val_loss_ = e.result.loss();
  print(fmt::format("step {}: validation loss {}{}", e.step, describe_loss(val_loss_),
                    e.best ? ", the best so far" : ""));
  const std::string sample = safe_for_terminal(e.sample);
  print(color_ ? "\x1b[2m" + sample + "\x1b[0m" : sample);
}

void BarSink::warn(const Warning& w) {
  const std::string line = fmt::format("step {}: warning: {}", w.step, safe_for_terminal(w.message));
  print(color_ ? "\x1b[33m" + line + "\x1b[0m" : line);
}

void BarSink::end(const EndInfo& e) {
  print(fmt::format("{} at step {} after {}", e.reason, e.step, describe_seconds(e.elapsed_seconds)));
}
}  // namespace charnn
