#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <spawn.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "extras/play/engines.h"
#include "extras/play/http.h"

namespace charnn::cli {
namespace {
namespace fs = std::filesystem;
using play::Run;

struct PlayOptions {
  std::string path;
  std::string host = "127.0.0.1";
  std::int64_t port = 0;
  bool no_open = false;
  ServiceLimits limits{.length = 20'000, .seconds = 60, .requests = 16};
};

std::vector<std::string> checkpoints_of(const RunFolder& run) {
  std::vector<std::string> names;
  std::error_code none;
  if (fs::exists(run.best(), none)) names.emplace_back("best");
  if (fs::exists(run.last(), none)) names.emplace_back("last");
  for (const std::int64_t step : run.kept_steps()) names.push_back(std::to_string(step));
  return names;
}

std::optional<Run> run_at(const std::string& path) {
  const RunFolder run(path);
  std::error_code none;
  const std::string name = fs::weakly_canonical(path, none).filename().string();
  std::vector<std::string> checkpoints = checkpoints_of(run);
  const bool begun = fs::exists(run.metrics(), none);
  if (find_invalid_utf8(name) || (checkpoints.empty() && !begun)) return std::nullopt;
  return Run{name, path, begun ? run.metrics() : "", std::move(checkpoints)};
}

/// The run, the runs in a folder (the latest first), or a checkpoint file as a run with one checkpoint.
std::vector<Run> runs_in(std::string path) {
  std::error_code none;
  if (!fs::is_directory(path, none)) return {{fs::path(path).filename().string(), path, "", {"best"}}};
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (auto run = run_at(path)) return {*run};
  std::vector<std::pair<fs::file_time_type, Run>> found;
  for (fs::directory_iterator entry(path, none), end; !none && entry != end; entry.increment(none)) {
    std::error_code unreadable;
    if (auto run = entry->is_directory(unreadable) ? run_at(entry->path().string()) : std::nullopt)
      found.emplace_back(fs::last_write_time(entry->path(), unreadable), std::move(*run));
  }
  std::ranges::stable_sort(found, std::greater(), [](const auto& one) { return one.first; });
  std::vector<Run> runs;
  for (auto& [time, run] : found) runs.push_back(std::move(run));
  return runs;
}

std::string random_token() {
  std::random_device random;
  std::string token;
  for (int i = 0; i < 4; ++i) token += fmt::format("{:08x}", random());
  return token;
}

/// Asks the desktop to show the page, if there is one.
void open_browser(const std::string& address) {
  if (std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) return;
  std::string program = "xdg-open", argument = address;
  char* const arguments[] = {program.data(), argument.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);  // Ctrl-C ends the page, not the browser
  pid_t child = 0;
  ::posix_spawnp(&child, program.c_str(), &actions, &attributes, arguments, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
}

int play(const PlayOptions& options, const Globals& globals) {
  const StopSignals signals;
  const std::vector<Run> found = runs_in(options.path);
  if (found.empty())
    fail_input(options.path + " has no run", "a run folder, a folder of runs, or a checkpoint file",
               "train first: charnn train TEXT");
  if (found[0].metrics.empty()) load_model({found[0].path});  // says what is wrong with the file now
  const bool local = options.host == "127.0.0.1" || options.host == "localhost" || options.host == "::1";
  const std::string token = local ? "" : random_token(),
                    name = options.host.find(':') != std::string::npos ? "[" + options.host + "]" : options.host;
  play::Engines engines(options.limits);
  const auto write = [&](const Run& run, const std::string& checkpoint, const nlohmann::json& request) {
    return engines.write(checkpoint_path(run.path, checkpoint), request);
  };
  const auto runs = [&] { return runs_in(options.path); };
  const auto make = [&](int port) {
    const std::string address = fmt::format("http://{}:{}/{}{}", name, port, token.empty() ? "" : "?token=", token);
    write_report(address + "\n");
    if (!globals.quiet) say("charnn: open this address in a browser; Ctrl-C ends");
    if (!options.no_open && local) open_browser(address);
    std::vector<std::string> hosts;
    for (const std::string host : {"127.0.0.1", "localhost", "[::1]"}) {
      if (local) hosts.push_back(fmt::format("{}:{}", host, port));
      if (local && port == 80) hosts.push_back(host);
    }
    return play::Site({runs, write, std::move(hosts), token});
  };
  play::serve_http(options.host, static_cast<int>(options.port), make, [] { return StopSignals::received() != 0; });
  return 128 + StopSignals::received();
}

void add_play_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<PlayOptions>();
  CLI::App* command =
      app.add_subcommand("play", "a page in the browser: watch training, play with a network, see a text through it");
  command->add_option("run", options->path, "run folder, folder of runs, or checkpoint file")
      ->required()
      ->type_name("RUN|FOLDER|CKPT");
  command->add_option("--host", options->host, "address to listen on; other than this machine's own needs a token")
      ->capture_default_str();
  add_number(*command, "--port", options->port, from_to(0, 65535), "port; 0: any that is free");
  command->add_flag("--no-open", options->no_open, "only print the address, do not open a browser");
  add_number(*command, "--max-length", options->limits.length, at_least(1), "characters that the page may ask for");
  add_number(*command, "--max-seconds", options->limits.seconds, above(0), "time limit for a text");
  on_chosen(command, action, [options, &globals] { return play(*options, globals); });
}
}  // namespace

void add_play(Extras& extras) { extras.commands.emplace_back(add_play_command); }
}  // namespace charnn::cli
