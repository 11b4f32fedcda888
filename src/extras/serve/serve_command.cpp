#include <memory>
#include <poll.h>
#include <random>
#include <unistd.h>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "extras/serve/serve.h"

namespace charnn::cli {
namespace {
struct Options {
  ModelChoice model;
  ServeLimits limits;
  std::int64_t seed = -1;
  std::int64_t threads = 0;
  ConfigInput config;
};

/// The lines of stdin as they come.
class InputLines {
 public:
  static constexpr std::size_t longest = 1 << 20;  ///< bytes of a line

  bool ended() const noexcept { return ended_; }

  /// Reads what there is, waiting for it if `wait`; hands each whole line to `line`, and calls too_long() for one that
  /// is longer than a line may be.
  template <class Line, class TooLong>
  void read(bool wait, Line&& line, TooLong&& too_long) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, wait ? 1000 : 0) <= 0) return;  // nothing yet, or a signal
    char buffer[1 << 16];
    const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count < 0) fail_errno("cannot read stdin", "");
    ended_ = count == 0;
    waiting_.append(buffer, static_cast<std::size_t>(count));
    if (ended_ && (skipping_ || !waiting_.empty())) waiting_ += '\n';  // the last line need not end
    std::size_t begin = 0;
    for (std::size_t end; (end = waiting_.find('\n', begin)) != std::string::npos; begin = end + 1)
      if (std::exchange(skipping_, false) || end - begin > longest)
        too_long();
      else if (waiting_.find_first_not_of(" \t\r", begin) < end)
        line(std::string_view(waiting_).substr(begin, end - begin));
    waiting_.erase(0, begin);
    if (waiting_.size() > longest) {
      skipping_ = true;
      waiting_.clear();
    }
  }

 private:
  std::string waiting_;
  bool skipping_ = false;  ///< the rest of a line that is too long
  bool ended_ = false;
};

int serve(const Options& options) {
  const StopSignals signals;
  LoadedModel loaded = load_model(options.model);
  const KeySet given = options.config.apply(loaded.config);
  TextOptions defaults;
  defaults.config = loaded.config.sample;
  if (defaults.config.beams > 1)
    fail_input("--beams for charnn serve: texts are drawn, side by side", "sample.beams = 1",
               "leave it out, or search with charnn sample --beams");
  std::int64_t& length = defaults.config.length;
  if (length > options.limits.length && given.contains("sample.length"))
    fail_input(fmt::format("--length {} with --max-length {}", length, options.limits.length),
               "a length that requests may ask for", "raise --max-length");
  length = std::min(length, options.limits.length);  // the run's own, meant for charnn sample
  const StepWeights weights = defaults.config.weights;
  TextMaker maker(std::move(loaded), weights, options.threads, /*many=*/true);
  maker.prepare(defaults);  // refuses what no request could fix
  bool read = true;         // somebody reads the answers
  Server server(maker, defaults, options.limits,
                options.seed >= 0 ? static_cast<std::uint64_t>(options.seed) : std::random_device()(),
                [&](std::string_view line) { read = read && write_stdout(line); });
  InputLines lines;
  while (read && StopSignals::received() == 0 && !(lines.ended() && server.idle())) {
    if (!lines.ended())
      lines.read(
          /*wait=*/server.idle(), [&](std::string_view line) { server.handle_line(line); },
          [&] { server.refuse_line(fmt::format("a line of more than {} bytes", InputLines::longest)); });
    if (!server.idle()) server.step();
  }
  return StopSignals::received() != 0 ? 128 + StopSignals::received() : 0;
}

void add_serve_command(CLI::App& app, const Globals&, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("serve", "write texts for another program: requests on stdin, answers on stdout, JSON lines");
  add_model_choice(*command, options->model);
  command->add_option("--max-length", options->limits.length, "characters that a request may ask for")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--max-seconds", options->limits.seconds, "time for a request, from its arrival on; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--max-requests", options->limits.requests, "requests at work at the same time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command
      ->add_option("--seed", options->seed,
                   "seed of the first request that gives none, the next one's is one more; default: a new one each "
                   "time")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--threads", options->threads, "CPU threads; 0: one per core")->check(CLI::Range(0, 1024));
  add_config_flags(*command, options->config, {"sample"});
  on_chosen(command, action, [options] { return serve(*options); });
}
}  // namespace

void add_serve(Extras& extras) { extras.commands.emplace_back(add_serve_command); }
}  // namespace charnn::cli
