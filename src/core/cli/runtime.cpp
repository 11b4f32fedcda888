#include "core/cli/runtime.h"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <unistd.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/model/torch_runtime.h"
#include "core/train/sink.h"

namespace charnn::cli {
namespace {
volatile std::sig_atomic_t stop_signal = 0, save_signal = 0;

extern "C" void on_stop_signal(int number) {
  // Checkpoints are replaced atomically, so exiting at any point loses only the steps since the last one.
  if (stop_signal != 0) ::_exit(128 + number);
  stop_signal = number;
}
extern "C" void on_save_signal(int number) { save_signal = number; }

void handle(int number, void (*handler)(int), bool even_if_ignored) {
  struct sigaction action {};
  if (!even_if_ignored && ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) return;
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(number, &action, nullptr);
}
}  // namespace

StopSignals::StopSignals() {
  stop_signal = 0;
  for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGXCPU}) handle(number, on_stop_signal, /*even_if_ignored=*/true);
  handle(SIGHUP, on_stop_signal, /*even_if_ignored=*/false);
}

int StopSignals::received() noexcept { return stop_signal; }

std::string signal_name(int number) { return fmt::format("SIG{}", ::sigabbrev_np(number)); }

void StopSignals::accept_save_requests() { handle(SIGUSR1, on_save_signal, /*even_if_ignored=*/true); }

bool StopSignals::save_requested() noexcept { return std::exchange(save_signal, 0) != 0; }

Device prepare_device(DeviceChoice choice, int local_rank) {
  const int gpus = is_cpu(choice) ? 0 : cuda_devices();
  const bool numbered = choice >= DeviceChoice::cuda0;
  const int gpu =
      numbered ? static_cast<int>(choice) - static_cast<int>(DeviceChoice::cuda0) : local_rank % std::max(gpus, 1);
  if (choice >= DeviceChoice::cuda && gpu >= gpus)
    fail_input(fmt::format("train.device = \"{}\": LibTorch sees {} CUDA GPU{}", name_of(choice, device_names),
                           gpus == 0 ? "no" : std::to_string(gpus), gpus > 1 ? "s" : ""),
               "a CUDA build of LibTorch and a GPU with its driver",
               "use --device auto or --device cpu, or build charnn against a CUDA build of LibTorch");
  const Device device = gpus > 0 ? Device::cuda : choice == DeviceChoice::torch ? Device::torch : Device::cpu;
  set_up_torch(device, gpu);
  return device;
}

bool write_stdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) return false;
    if (written < 0) fail_errno("cannot write to stdout", "");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool write_report(std::string_view text) { return write_stdout(safe_for_terminal(text)); }

bool write_json(const nlohmann::ordered_json& json) {
  return write_stdout(json.dump(2, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace) + "\n");
}

void say_line(std::string_view text) {
  std::string line = safe_for_terminal(text);
  if (const auto columns = terminal_columns(STDERR_FILENO)) line = wrapped(line, *columns, 2);
  std::fputs((line + "\n").c_str(), stderr);  // a terminal that has gone stops nothing
}

Progress::~Progress() {
  if (!drawn_.empty()) std::fputs("\r\x1b[K", stderr);
}

void Progress::show(std::string_view what) {
  const auto columns = terminal_columns(STDERR_FILENO);
  if (!columns || what == drawn_ || seconds_since(start_) < after_) return;
  drawn_ = what;
  fmt::print(stderr, "\r\x1b[K{}", what.substr(0, *columns - 1));
  std::fflush(stderr);
}

void Progress::show(std::string_view what, double share) {
  const double left = seconds_since(start_) * (1 - share) / share;
  show(fmt::format("{}, {:.0f} %, {} left", what, 100 * share, describe_seconds(left)));
}

bool wants_color(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  return ::isatty(fd) == 1 && (no_color == nullptr || *no_color == '\0');
}

bool writes_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
      const std::string_view locale = value;
      return locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
    }
  return false;
}

TextOutput::TextOutput(bool raw) : terminal_(::isatty(STDOUT_FILENO) == 1), safe_(terminal_ && !raw) {}

bool TextOutput::add(std::string_view text) {
  if (!text.empty()) last_ = text.back();
  buffer_ += text;
  const auto now = std::chrono::steady_clock::now();
  if (now - flushed_ < std::chrono::milliseconds(20) && buffer_.size() < (1 << 16)) return true;
  flushed_ = now;
  return flush();
}

void TextOutput::end(bool whole) {
  flush();
  write_stdout(shown_.finish());
  if ((terminal_ || whole) && last_ != '\n') write_stdout("\n");
}

bool TextOutput::flush() {
  const std::string text = std::exchange(buffer_, {});
  return write_stdout(safe_ ? shown_.add(text) : text);
}
}  // namespace charnn::cli
