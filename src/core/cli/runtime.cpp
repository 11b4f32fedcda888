#include "core/cli/runtime.h"
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <unistd.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/model/torch_runtime.h"

namespace charnn::cli {
namespace {
volatile std::sig_atomic_t stop_signal = 0;

extern "C" void on_stop_signal(int number) {
  // Checkpoints are replaced atomically, so exiting at any point loses only the steps since the last one.
  if (stop_signal != 0) ::_exit(128 + number);
  stop_signal = number;
}
}  // namespace

StopSignals::StopSignals() {
  stop_signal = 0;
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

int StopSignals::received() noexcept { return stop_signal; }

Device prepare_device(DeviceChoice choice) {
  const bool gpu = choice != DeviceChoice::cpu && cuda_available();
  if (choice == DeviceChoice::cuda && !gpu)
    fail_input("train.device = \"cuda\": LibTorch sees no CUDA GPU",
               "a CUDA build of LibTorch and a GPU with its driver",
               "use --device auto or --device cpu, or build charnn against a CUDA build of LibTorch");
  const Device device = gpu ? Device::cuda : Device::cpu;
  set_up_torch(device);
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

void say_line(std::string_view text) { fmt::print(stderr, "{}\n", safe_for_terminal(text)); }

bool wants_color(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  return ::isatty(fd) == 1 && (no_color == nullptr || *no_color == '\0');
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

void TextOutput::end() {
  flush();
  write_stdout(shown_.finish());
  if (terminal_ && last_ != '\n') write_stdout("\n");
}

bool TextOutput::flush() {
  const std::string text = std::exchange(buffer_, {});
  return write_stdout(safe_ ? shown_.add(text) : text);
}
}  // namespace charnn::cli
