#include <algorithm>
#include <chrono>
#include <list>
#include <map>
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
#include "core/io/json_config.h"

namespace charnn::cli {
namespace {
using nlohmann::json;
using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Options {
  ModelChoice model;
  std::int64_t max_length = 100'000;
  double max_seconds = 60;
  std::int64_t max_requests = 64;
  std::int64_t seed = -1;
  std::int64_t threads = 0;
  ConfigInput config;
};

constexpr std::size_t longest_line = 1 << 20;  // in bytes
using InputLine = std::optional<std::string>;  ///< nullopt: it was too long

/// A text being written for a request.
struct Work {
  json id;
  std::int64_t number = 0;  ///< the generator's
  std::int64_t seed = -1;   ///< -1: not given
  bool stream = false;
  bool echo = false;
  std::string text;  ///< not sent yet
  std::int64_t chars = 0;
  Clock::time_point sent{};
};

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

/// `options` with the changes that a request asks for; what concerns only its answer goes to `work`.
TextOptions options_of(const json& request, TextOptions options, Work& work) {
  std::vector<Field> fields = describe(options.config).fields;
  // The weights are loaded already, and texts are drawn, not searched for.
  std::erase_if(fields, [](const Field& field) { return field.name == "weights" || field.name == "beams"; });
  fields.push_back(Field::text("prompt", options.prompt, ""));
  fields.push_back(Field::text_list("stop", options.stops));
  fields.push_back(Field::real("max_seconds", options.max_seconds, above(0)));
  fields.push_back(Field::choice("unknown", options.unknown, on_unknown_names, ""));
  fields.push_back(Field::integer("seed", work.seed, at_least(0)));
  const std::map<std::string, bool*> switches{{"until_line", &options.until_line},
                                              {"one_document", &options.one_document},
                                              {"stream", &work.stream},
                                              {"echo", &work.echo}};
  for (const auto& [key, item] : request.items()) {
    if (key == "id") continue;
    const std::string where = "\"" + key + "\"";
    if (const auto found = switches.find(key); found != switches.end()) {
      if (!item.is_boolean()) fail_input(where, "true or false", "");
      *found->second = item;
      continue;
    }
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == key; });
    if (field == fields.end()) {
      std::vector<std::string> names{"id", "cancel"};
      for (const Field& known : fields) names.push_back(known.name);
      for (const auto& [name, value] : switches) names.push_back(name);
      fail_input(fmt::format("unknown key {}", where), "a key of a request",
                 fmt::format("did you mean \"{}\"?", nearest(key, names)));
    }
    const auto value = to_value(key == "stop" && item.is_string() ? json::array({item}) : item);
    if (!value) fail_input(fmt::format("{} = {}", where, item.dump()), field->allowed_text(), "");
    assign(*field, *value, where);
  }
  return options;
}

/// Answers requests with JSON lines, several requests at a time. The worst that any input line can cause is an error as
/// its answer.
class Server {
 public:
  /// `defaults` holds for everything a request leaves out.
  Server(const Options& options, TextMaker& maker, TextOptions defaults)
      : options_(options),
        maker_(maker),
        defaults_(std::move(defaults)),
        next_seed_(options.seed >= 0 ? static_cast<std::uint64_t>(options.seed) : std::random_device()()),
        generator_(maker.generator()) {}

  bool idle() const noexcept { return generator_.idle(); }
  bool has_reader() const noexcept { return has_reader_; }

  void handle_line(const InputLine& line) {
    json id;
    try {
      const json request = parsed(line);
      id = request.value("id", json());
      if (request.contains("cancel"))
        cancel(request, id);
      else
        start(request, id);
    } catch (const Error& error) {
      send({{"id", id}, {"error", error.what()}});
    }
  }

  /// Writes one symbol of every text.
  void step() {
    const std::vector<Generator::Ended> all_ended = generator_.step();
    for (auto next = works_.begin(); next != works_.end();) {
      const auto work = next++;
      const auto ended = std::find_if(all_ended.begin(), all_ended.end(),
                                      [&](const Generator::Ended& e) { return e.number == work->number; });
      if (ended != all_ended.end())
        finish(work, ended->end);
      else if (work->stream && Clock::now() - work->sent > std::chrono::milliseconds(20))  // looks immediate
        send_delta(*work);
    }
  }

 private:
  void start(const json& request, const json& id) {
    if (static_cast<std::int64_t>(works_.size()) >= options_.max_requests)
      fail_input(fmt::format("{} requests are already in progress", works_.size()),
                 fmt::format("at most {}", options_.max_requests), "wait for an answer, or raise --max-requests");
    if (!id.is_null() && find(id) != works_.end())
      fail_input("a request with this id is in progress", "a different id for each request", "");
    std::list<Work> added(1);  // moves to works_ at the end, and keeps its address
    Work& work = added.front();
    work.id = id;
    TextOptions options = options_of(request, defaults_, work);
    if (options.config.length > options_.max_length)
      fail_input(fmt::format("\"length\" {}", options.config.length), fmt::format("at most {}", options_.max_length),
                 "ask for less, or raise --max-length");
    if (options_.max_seconds > 0 && (options.max_seconds == 0 || options.max_seconds > options_.max_seconds))
      options.max_seconds = options_.max_seconds;
    PreparedText prepared = maker_.prepare(options);
    if (work.seed < 0) work.seed = static_cast<std::int64_t>(next_seed_++);
    prepared.job.seed = static_cast<std::uint64_t>(work.seed);
    prepared.job.on_text = [&work](const TextPiece& piece) {
      work.chars += static_cast<std::int64_t>(piece.ids.size());
      work.text += piece.text;
      return true;
    };
    if (work.echo) work.text = prepared.shown_prompt;
    work.number = generator_.add(std::move(prepared.job));
    works_.splice(works_.end(), added);
    if (!prepared.note.empty()) send({{"id", id}, {"note", prepared.note}});
  }

  void cancel(const json& request, const json& id) {
    if (request.size() != 2 || id.is_null() || request["cancel"] != true)
      fail_input("\"cancel\" with other keys, without \"id\", or not true", "{\"id\": ..., \"cancel\": true}", "");
    const auto work = find(id);
    if (work == works_.end()) fail_input("no request with this id is in progress", "the id of one that is", "");
    generator_.cancel(work->number);
    finish(work, TextEnd::cancelled);
  }

  void finish(std::list<Work>::iterator work, TextEnd end) {
    if (work->stream) send_delta(*work);
    ordered_json answer = {{"id", work->id}};
    if (!work->stream) answer["text"] = work->text;
    answer.update({{"end", name_of(end, text_end_names)}, {"chars", work->chars}, {"seed", work->seed}});
    send(answer);
    works_.erase(work);
  }

  void send_delta(Work& work) {
    if (work.text.empty()) return;
    send({{"id", work.id}, {"delta", std::exchange(work.text, {})}});
    work.sent = Clock::now();
  }

  void send(const ordered_json& answer) {
    // ASCII, so that no reader can mistake the encoding; bytes that are not UTF-8 become U+FFFD.
    has_reader_ = has_reader_ && write_stdout(answer.dump(-1, ' ', true, json::error_handler_t::replace) + "\n");
  }

  std::list<Work>::iterator find(const json& id) {
    return std::find_if(works_.begin(), works_.end(), [&](const Work& work) { return work.id == id; });
  }

  const Options& options_;
  TextMaker& maker_;
  TextOptions defaults_;
  std::uint64_t next_seed_;
  Generator generator_;
  std::list<Work> works_;  ///< the generator's callbacks hold their addresses
  bool has_reader_ = true;
};

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

int serve(const Options& options) {
  const StopSignals signals;
  LoadedModel loaded = load_model(options.model);
  const KeySet given = options.config.apply(loaded.config);
  TextOptions defaults;
  defaults.config = loaded.config.sample;
  if (defaults.config.beams > 1)
    fail_input("--beams with charnn serve, which draws its texts", "", "use charnn sample for a beam search");
  std::int64_t& length = defaults.config.length;
  if (length > options.max_length && given.contains("sample.length"))
    fail_input(fmt::format("--length {} with --max-length {}", length, options.max_length),
               "a length that requests may ask for", "raise --max-length");
  length = std::min(length, options.max_length);  // the run's own, meant for charnn sample
  TextMaker maker(std::move(loaded), defaults.config.weights, options.threads, /*many=*/true);
  maker.prepare(defaults);  // refuses what no request could fix
  Server server(options, maker, defaults);
  InputLines lines;
  while (server.has_reader() && StopSignals::received() == 0 && !(lines.ended() && server.idle())) {
    for (const InputLine& line : lines.read(/*wait=*/server.idle())) server.handle_line(line);
    if (!server.idle()) server.step();
  }
  return StopSignals::received() != 0 ? 128 + StopSignals::received() : 0;
}

void add_serve_command(CLI::App& app, const Globals&, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "serve", "write texts for another program: JSON lines, requests on stdin and answers on stdout");
  add_model_choice(*command, options->model);
  command->add_option("--max-length", options->max_length, "characters that a request may ask for")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--max-seconds", options->max_seconds, "time limit per request, from its arrival; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--max-requests", options->max_requests, "requests in progress at the same time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command
      ->add_option("--seed", options->seed,
                   "seed for the first request that gives none, then counted up; default: random")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--threads", options->threads, "CPU threads; 0: one per core")->check(CLI::Range(0, 1024));
  add_config_flags(*command, options->config, {"sample"});
  on_chosen(command, action, [options] { return serve(*options); });
}
}  // namespace

void add_serve(Extras& extras) { extras.commands.emplace_back(add_serve_command); }
}  // namespace charnn::cli
