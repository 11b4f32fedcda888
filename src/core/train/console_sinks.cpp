#include "core/train/console_sinks.h"
#include <algorithm>
#include <cmath>
#include <vector>
#include <fmt/format.h>
#include "core/base/utf8.h"

namespace charnn {
namespace {
constexpr const char* plain = "";
constexpr const char* dim = "\x1b[2m";
constexpr const char* yellow = "\x1b[33m";
constexpr const char* cyan = "\x1b[36m";
constexpr const char* reset = "\x1b[0m";

/// "1:12", "2:03:04".
std::string clock_text(double seconds) {
  const auto all = static_cast<std::int64_t>(std::lround(seconds));
  return all < 3600 ? fmt::format("{}:{:02}", all / 60, all % 60)
                    : fmt::format("{}:{:02}:{:02}", all / 3600, all / 60 % 60, all % 60);
}

/// "736", "248k", "1.2M".
std::string short_number(double number) {
  if (number < 1e4) return fmt::format("{:.0f}", number);
  return number < 1e6 ? fmt::format("{:.0f}k", number / 1e3) : fmt::format("{:.1f}M", number / 1e6);
}
}  // namespace

std::string ConsoleSink::place(std::int64_t step) const {
  return last_step_ > 0 && last_step_ >= step ? fmt::format("step {} of {}", step, last_step_)
                                              : fmt::format("step {}", step);
}

std::string ConsoleSink::time_left(const StepInfo& s) {
  return s.seconds_left > 0 ? describe_seconds(s.seconds_left) + " left" : "";
}

void ConsoleSink::begin(const RunInfo& run) {
  last_step_ = run.last_step;
  best_loss_ = run.best_loss;
  print(run.title, plain);
  if (run.first_step > 0) print("resumed at " + place(run.first_step), plain);
}

void ConsoleSink::eval(const EvalInfo& e) {
  if (e.best) best_loss_ = e.result.loss();
  const char* best = e.best ? ", the best so far" : "";
  print(fmt::format("step {}: validation loss {}{}", e.step, describe_loss(e.result.loss()), best), plain);
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
  const std::string exchange = s.exchange_share > 0 ? fmt::format(", exchange {:.0f} %", 100 * s.exchange_share) : "";
  print(fmt::format("{}, epoch {:.2f}, loss {:.4f}, lr {:.2g}, grad norm {:.2f}, {:.0f} chars/s{}{}{}", place(s.step),
                    s.epoch, s.loss, s.lr, s.grad_norm, s.chars_per_second, exchange, left.empty() ? "" : ", ", left),
        plain);
}

void BarSink::erase() {
  if (drawn_ == 0) return;
  // If the terminal has become narrower, it has wrapped the line; the cursor is in its last row.
  const std::size_t rows_above = (drawn_ - 1) / width();
  put((rows_above > 0 ? fmt::format("\x1b[{}A", rows_above) : "") + "\r\x1b[J");
  drawn_ = 0;
}

void BarSink::print(const std::string& text, const char* style) {
  erase();
  put(fmt::format("{}{}{}\n", color_ ? style : "", wrapped(text, width(), 2), color_ ? reset : ""));
}

std::string BarSink::bar(double done) const {
  constexpr std::size_t cells = 10, parts = 8;
  const auto filled = static_cast<std::size_t>(done * cells * (blocks_ ? parts : 1));
  if (!blocks_) return fmt::format("[{:<{}}]", std::string(filled, '='), cells);
  std::string text;
  for (std::size_t i = 0; i < cells; ++i)  // U+2588 is a full block, U+2589 one of seven eighths, ...
    if (const std::size_t here = std::min(parts, filled - std::min(filled, i * parts)); here > 0)
      text += encode_utf8(0x2590 - static_cast<char32_t>(here));
    else
      text += ' ';
  return "[" + text + "]";
}

void BarSink::draw(const std::string& activity) {
  erase();
  const StepInfo& s = latest_;
  std::vector<std::string> fields;
  if (last_step_ > 0) {
    const double done = std::min(1.0, static_cast<double>(s.step) / static_cast<double>(last_step_));
    fields = {fmt::format("{} {:2.0f}%", bar(done), std::floor(100 * done)), fmt::format("{}/{}", s.step, last_step_)};
  } else {
    fields = {fmt::format("step {}", s.step)};
  }
  fields.push_back(fmt::format("loss {:.3f}", loss_.value()));
  if (best_loss_) fields.push_back(fmt::format("val {:.3f}", *best_loss_));
  if (s.seconds_left > 0) fields.push_back(clock_text(s.seconds_left) + " left");
  if (!activity.empty()) fields.push_back(activity);
  fields.push_back(short_number(s.chars_per_second) + "/s");
  fields.push_back(fmt::format("epoch {:.2f}", s.epoch));
  fields.push_back(fmt::format("lr {:.2g}", s.lr));
  fields.push_back(fmt::format("|g| {:.2f}", s.grad_norm));
  std::string line;
  for (const std::string& field : fields) {  // the most important come first; what does not fit is left out
    const std::int64_t size = count_code_points(line) + 2 + count_code_points(field);
    if (!line.empty() && size >= static_cast<std::int64_t>(width())) break;  // a full line would wrap
    line += (line.empty() ? "" : "  ") + field;
  }
  drawn_ = static_cast<std::size_t>(count_code_points(line));
  put(color_ ? cyan + line + reset : line);
}

void BarSink::put(const std::string& text) {
  std::fputs(text.c_str(), terminal_);  // a terminal that has gone stops nothing
  std::fflush(terminal_);
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
