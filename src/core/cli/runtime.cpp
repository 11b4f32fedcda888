#include "core/cli/runtime.h"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <unistd.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/model/torch_runtime.h"
#include "kernels/thread_pool.h"

namespace charnn::cli {
namespace {
volatile std::sig_atomic_t stop_signal = 0;

extern "C" void on_stop_signal(int number) {
  // Checkpoints are replaced atomically, so leaving in the middle of anything costs only the steps since the last one.
  if (stop_signal != 0) ::_exit(128 + number);
  stop_signal = number;
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(number, &action, nullptr);
}
}  // namespace

StopSignals::StopSignals() {
  stop_signal = 0;
  handle(SIGINT, on_stop_signal);
  handle(SIGTERM, on_stop_signal);
}

StopSignals::~StopSignals() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
}

int StopSignals::received() noexcept { return stop_signal; }

int cpu_threads(std::int64_t asked) { return asked > 0 ? static_cast<int>(asked) : available_cpus(); }

int training_threads(const TrainConfig& train, const ModelConfig& model, std::int64_t vocabulary_size) {
  if (train.threads > 0) return static_cast<int>(train.threads);
  // Where a step is this short, threads spend more time on meeting than they save.
  constexpr double flops_a_thread = 4e6;
  const double step = training_flops(model, vocabulary_size) * static_cast<double>(train.batch_size) *
                      static_cast<double>(train.sequence_length);
  return static_cast<int>(std::clamp(step / flops_a_thread, 1.0, static_cast<double>(available_cpus())));
}

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
  using Handler = nlohmann::ordered_json::error_handler_t;
  return write_stdout(json.dump(2, ' ', /*ensure_ascii=*/true, Handler::replace) + "\n");
}

void say_line(std::string_view text) { fmt::print(stderr, "{}\n", safe_for_terminal(text)); }

bool wants_color(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  return ::isatty(fd) == 1 && (no_color == nullptr || *no_color == '\0');
}
}  // namespace charnn::cli
