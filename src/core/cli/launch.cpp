#include "core/cli/launch.h"
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fmt/format.h>
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/cli/runtime.h"

extern char** environ;

namespace charnn::cli {
namespace {
constexpr const char* started_here = "CHARNN_STARTED_BY";  ///< in the environment of the processes started here

/// This command's own line.
std::vector<std::string> command_line() {
  std::vector<std::string> words;
  std::ifstream file("/proc/self/cmdline");
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t at = 0, end; (end = all.find('\0', at)) != std::string::npos; at = end + 1)
    words.push_back(all.substr(at, end - at));
  return words;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}
}  // namespace

void LocalProcesses::start(int port) {
  std::vector<std::string> words = command_line();
  for (int rank = 1; rank < processes_; ++rank) {
    std::vector<std::string> variables{fmt::format("RANK={}", rank),
                                       fmt::format("WORLD_SIZE={}", processes_),
                                       fmt::format("LOCAL_RANK={}", rank),
                                       fmt::format("LOCAL_WORLD_SIZE={}", processes_),
                                       "MASTER_ADDR=127.0.0.1",
                                       fmt::format("MASTER_PORT={}", port),
                                       "TORCHELASTIC_RESTART_COUNT=0",
                                       "TORCHELASTIC_USE_AGENT_STORE=False",
                                       fmt::format("{}=1", started_here)};
    for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", 0, 0);
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, "/proc/self/exe", &files, nullptr, pointers(words).data(), pointers(variables).data());
    ::posix_spawn_file_actions_destroy(&files);
    errno = error;
    if (error != 0)
      fail_errno(fmt::format("cannot start process {} of {}", rank, processes_),
                 "fewer --processes, or a higher limit of them (ulimit -u)");
    running_.push_back({pid, rank});
  }
}

std::string LocalProcesses::ended(double wait_seconds) {
  const Clock::time_point start = Clock::now();
  std::string end;
  bool killed = false;
  do {
    std::erase_if(running_, [&](const Child& child) {
      int status = 0;
      const pid_t pid = ::waitpid(child.pid, &status, WNOHANG);
      if (pid == 0) return false;
      // One that was killed is the reason why others end.
      if (pid > 0 && !killed && (end.empty() || WIFSIGNALED(status))) {
        killed = WIFSIGNALED(status);
        const std::string how = killed ? "was killed by " + signal_name(WTERMSIG(status))
                                       : fmt::format("has ended with exit status {}", WEXITSTATUS(status));
        end = fmt::format("process {} of {} {}", child.rank, processes_, how);
      }
      return true;
    });
    if (end.empty()) ::usleep(10'000);
  } while (end.empty() && !running_.empty() && seconds_since(start) < wait_seconds);
  return end;
}

LocalProcesses::~LocalProcesses() {
  const Clock::time_point start = Clock::now();
  while (!running_.empty() && seconds_since(start) < 10) ended(0.1);
  for (const Child& child : running_) {
    ::kill(child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
  }
}

Company::Company(int processes) {
  Place place = place_in([](const char* name) -> const char* { return std::getenv(name); });
  LinkEvents events;
  events.waiting = [] {
    if (StopSignals::received() != 0)
      throw Error(
          static_cast<ExitCode>(128 + StopSignals::received()),
          fmt::format("stopped by {} while waiting for the other processes", signal_name(StopSignals::received())), "",
          "");
  };
  if (processes > 1 && std::getenv(started_here) == nullptr) {
    if (place.size > 1)
      fail_input(fmt::format("--processes {} under a launcher that has started {}", processes, place.size),
                 "one of them", "leave --processes out");
    place = {.size = processes, .local_size = processes, .port = 0};
    started = std::make_unique<LocalProcesses>(processes);
    events.listening = [this](int port) { started->start(port); };
    events.waiting = [this, stopped = events.waiting] {
      stopped();
      if (const std::string end = started->ended(0); !end.empty())
        throw Error(ExitCode::failure, end, "all processes to train together", "");
    };
    events.lost = [this] { return started->ended(1); };
  }
  group = std::make_unique<Group>(place, std::move(events));
}
}  // namespace charnn::cli
