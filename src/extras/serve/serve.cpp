#include <algorithm>
#include <optional>
#include <poll.h>
#include <random>
#include <stdexcept>
#include <unistd.h>
#include <utility>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/cli/text_service.h"
#include "core/io/json_config.h"

namespace charnn::cli {
namespace {
using nlohmann::json;
using nlohmann::ordered_json;

struct ServeOptions {
  ModelChoice model;
  ServiceLimits limits;
  std::int64_t seed = -1;
  std::int64_t threads = 0;
  ConfigInput config;
};

constexpr std::size_t longest_line = 1 << 20;  // in bytes
using InputLine = std::optional<std::string>;  ///< nullopt: it was too long

json parsed(const InputLine& line) {
  if (!line) fail_input(fmt::format("a line of more than {} bytes", longest_line), "", "");
  try {
    json request = parse_strict(*line);
    if (request.is_object()) return request;
  } catch (const std::invalid_argument& error) {
    fail_input(fmt::format("the line is {}", error.what()), "a JSON object on each line", "");
  }
  fail_input("the line is not a JSON object", "{\"id\": ..., \"prompt\": ...}", "");
}

/// Reads stdin line by line without blocking the texts being written.
class InputLines {
 public:
  bool ended() const noexcept { return ended_; }

  /// The lines that have become complete, without blank ones; waits for input if `wait`.
  std::vector<InputLine> read(bool wait) {
    std::vector<InputLine> lines;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (ended_ || ::poll(&input, 1, wait ? 1000 : 0) <= 0) return lines;  // nothing yet, or a signal
    char buffer[1 << 16];
    const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return lines;
    if (count < 0) fail_errno("cannot read stdin", "");
    ended_ = count == 0;
    waiting_.append(buffer, count);
    if (ended_ && (skipping_ || !waiting_.empty())) waiting_ += '\n';  // the last line may lack its newline
    std::size_t begin = 0;
    for (std::size_t end; (end = waiting_.find('\n', begin)) != std::string::npos; begin = end + 1)
      if (std::exchange(skipping_, false) || end - begin > longest_line)
        lines.emplace_back(std::nullopt);
      else if (waiting_.find_first_not_of(" \t\r", begin) < end)
        lines.emplace_back(waiting_.substr(begin, end - begin));
    waiting_.erase(0, begin);
    if (waiting_.size() > longest_line) {
      skipping_ = true;
      waiting_.clear();
    }
    return lines;
  }

 private:
  std::string waiting_;
  bool skipping_ = false;  ///< inside a line that is too long
  bool ended_ = false;
};

int serve(const ServeOptions& options) {
  const StopSignals signals;
  LoadedModel loaded = load_model(options.model);
  const KeySet given = options.config.apply(loaded.config);
  TextOptions defaults;
  defaults.config = loaded.config.sample;
  if (defaults.config.beams > 1)
    fail_input("--beams with charnn serve, which draws its texts", "", "use charnn sample for a beam search");
  std::int64_t& length = defaults.config.length;
  if (length > options.limits.length && given.contains("sample.length"))
    fail_input(fmt::format("--length {} with --max-length {}", length, options.limits.length),
               "a length that requests may ask for", "raise --max-length");
  length = std::min(length, options.limits.length);  // the run's own, meant for charnn sample
  TextMaker maker(std::move(loaded), defaults.config.weights, options.threads, /*many=*/true);
  maker.prepare(defaults);  // refuses what no request could fix
  TextService service(maker, defaults, options.limits,
                      options.seed >= 0 ? static_cast<std::uint64_t>(options.seed) : std::random_device()());
  bool has_reader = true;
  const TextService::Send send = [&](const ordered_json& answer) {
    has_reader = has_reader && write_stdout(to_ascii(answer) + "\n");
    return has_reader;
  };
  InputLines lines;
  while (has_reader && StopSignals::received() == 0 && !(lines.ended() && service.idle())) {
    for (const InputLine& line : lines.read(/*wait=*/service.idle())) try {
        service.handle(parsed(line), send);
      } catch (const Error& error) {
        send({{"id", json()}, {"error", error.what()}});
      }
    if (!service.idle()) service.step();
  }
  return StopSignals::received() != 0 ? 128 + StopSignals::received() : 0;
}

void add_serve_command(CLI::App& app, const Globals&, Action& action) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand(
      "serve", "write texts for another program: JSON lines, requests on stdin and answers on stdout");
  add_model_choice(*command, options->model);
  add_number(*command, "--max-length", options->limits.length, at_least(1), "characters that a request may ask for");
  add_number(*command, "--max-seconds", options->limits.seconds, at_least(0),
             "time limit per request, from its arrival; 0: no limit");
  add_number(*command, "--max-requests", options->limits.requests, from_to(1, 4096),
             "requests in progress at the same time");
  add_number(*command, "--seed", options->seed, at_least(0),
             "seed for the first request that gives none, then counted up; default: random");
  add_threads(*command, options->threads);
  add_config_flags(*command, options->config, {"sample"});
  on_chosen(command, action, [options] { return serve(*options); });
}
}  // namespace

void add_serve(Extras& extras) { extras.commands.emplace_back(add_serve_command); }
}  // namespace charnn::cli
