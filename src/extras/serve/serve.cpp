#include "extras/serve/serve.h"
#include <algorithm>
#include <chrono>
#include <utility>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/io/json_config.h"

namespace charnn::cli {
using nlohmann::json;
using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

/// A text that is being written for a request.
struct Server::Work {
  json id;
  std::int64_t number = 0;  ///< the generator's
  std::uint64_t seed = 0;
  bool stream = false;
  bool echo = false;
  std::string text;  ///< not sent yet
  std::int64_t chars = 0;
  Clock::time_point sent{};
};

namespace {
/// Assigns what a request says to a field.
void set(Field field, const json& item, const std::string& where) {
  const auto value = to_value(item);
  if (!value) fail_input(where + " = " + item.dump(), field.allowed_text(), "");
  assign(field, *value, where);
}

bool flag_of(const json& item, const std::string& where) {
  if (!item.is_boolean()) fail_input(where, "true or false", "");
  return item.get<bool>();
}

/// The others belong to the server: its weights are loaded, and nothing is searched.
bool of_a_request(const Field& field) { return field.name != "weights" && field.name != "beams"; }

/// What an option of TextOptions is told by `item`; false if `key` is none of them.
bool set_text_option(TextOptions& options, const std::string& key, const json& item) {
  const std::string where = "\"" + key + "\"";
  if (key == "prompt") {
    set(Field::text(key, options.prompt, ""), item, where);
  } else if (key == "stop") {
    set(Field::text_list(key, options.stops), item.is_string() ? json::array({item}) : item, where);
  } else if (key == "until_line") {
    options.until_line = flag_of(item, where);
  } else if (key == "one_document") {
    options.one_document = flag_of(item, where);
  } else if (key == "max_seconds") {
    set(Field::real(key, options.max_seconds, above(0)), item, where);
  } else if (key == "unknown") {
    set(Field::choice(key, options.unknown, on_unknown_names, ""), item, where);
  } else {
    return false;
  }
  return true;
}
}  // namespace

Server::Server(TextMaker& maker, TextOptions defaults, ServeLimits limits, std::uint64_t first_seed,
               std::function<void(std::string_view)> write)
    : maker_(maker),
      defaults_(std::move(defaults)),
      limits_(limits),
      next_seed_(first_seed),
      write_(std::move(write)),
      generator_(maker.generator()) {}

Server::~Server() = default;

void Server::send(const ordered_json& answer) {
  // ASCII, so that no reader can take it for another encoding; bytes that are no UTF-8 become U+FFFD.
  write_(answer.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + "\n");
}

void Server::refuse_line(std::string_view why) { send({{"id", nullptr}, {"error", why}}); }

void Server::handle_line(std::string_view line) {
  json id;
  try {
    json request;
    try {
      request = parse_strict(line);
    } catch (const std::invalid_argument& error) {
      fail_input(fmt::format("the line is {}", error.what()), "a JSON object in each line", "");
    }
    if (!request.is_object()) fail_input("the line is no JSON object", "{\"id\": ..., \"prompt\": ...}", "");
    if (request.contains("id")) id = request["id"];
    if (request.contains("cancel"))
      cancel(request);
    else
      start(request);
  } catch (const Error& error) {
    send({{"id", id}, {"error", error.what()}});
  }
}

TextOptions Server::options_of(const json& request, Work& work) const {
  TextOptions options = defaults_;
  const Section section = describe(options.config);
  for (const auto& [key, item] : request.items()) {
    const std::string where = "\"" + key + "\"";
    if (key == "id" || set_text_option(options, key, item)) continue;
    if (key == "stream") {
      work.stream = flag_of(item, where);
    } else if (key == "echo") {
      work.echo = flag_of(item, where);
    } else if (key == "seed") {
      std::int64_t seed = 0;
      set(Field::integer("seed", seed, at_least(0)), item, where);
      work.seed = static_cast<std::uint64_t>(seed);
    } else {
      std::vector<std::string> names{"id",   "prompt", "stop",        "until_line", "one_document", "stream",
                                     "echo", "seed",   "max_seconds", "unknown",    "cancel"};
      for (const Field& field : section.fields)
        if (of_a_request(field)) names.push_back(field.name);
      const auto field = std::find_if(section.fields.begin(), section.fields.end(),
                                      [&key = key](const Field& f) { return f.name == key; });
      if (field == section.fields.end() || !of_a_request(*field))
        fail_input(fmt::format("unknown key {}", where), "a key of a request",
                   fmt::format("did you mean \"{}\"?", nearest(key, names)));
      set(*field, item, where);
    }
  }
  return options;
}

void Server::start(const json& request) {
  Work work;
  if (request.contains("id")) work.id = request["id"];
  if (static_cast<std::int64_t>(works_.size()) >= limits_.requests)
    fail_input(fmt::format("{} requests are at work", works_.size()), fmt::format("at most {}", limits_.requests),
               "wait for an answer, or set --max-requests");
  for (const Work& other : works_)
    if (!work.id.is_null() && other.id == work.id)
      fail_input("a request with this id is at work", "an id of its own for each", "");
  TextOptions options = options_of(request, work);
  if (options.config.length > limits_.length)
    fail_input(fmt::format("\"length\" {}", options.config.length), fmt::format("at most {}", limits_.length),
               "ask for less, or set --max-length");
  if (limits_.seconds > 0 && (options.max_seconds == 0 || options.max_seconds > limits_.seconds))
    options.max_seconds = limits_.seconds;
  PreparedText prepared = maker_.prepare(options);
  if (!request.contains("seed")) work.seed = next_seed_++;
  if (work.echo) work.text = prepared.shown_prompt;
  works_.push_back(std::move(work));
  Work& kept = works_.back();
  prepared.job.seed = kept.seed;
  prepared.job.on_text = [&kept](const TextPiece& piece) {
    kept.chars += static_cast<std::int64_t>(piece.ids.size());
    kept.text += piece.text;
    return true;
  };
  kept.number = generator_.add(std::move(prepared.job));
  if (!prepared.note.empty()) send({{"id", kept.id}, {"note", prepared.note}});
}

void Server::cancel(const json& request) {
  if (request.size() != 2 || !request.contains("id") || request["id"].is_null() ||
      !flag_of(request["cancel"], "\"cancel\""))
    fail_input("\"cancel\" with other keys, without \"id\", or not true", "{\"id\": ..., \"cancel\": true}", "");
  const json& id = request["id"];
  for (Work& work : works_) {
    if (work.id != id) continue;
    generator_.cancel(work.number);
    return finish(work, TextEnd::cancelled);
  }
  fail_input("no request with this id is at work", "the id of one that is", "");
}

void Server::send_delta(Work& work) {
  if (work.text.empty()) return;
  send({{"id", work.id}, {"delta", std::exchange(work.text, {})}});
  work.sent = Clock::now();
}

void Server::finish(Work& work, TextEnd end) {
  if (work.stream) send_delta(work);
  ordered_json answer = {{"id", work.id}};
  if (!work.stream) answer["text"] = work.text;
  answer["end"] = name_of(end, text_end_names);
  answer["chars"] = work.chars;
  answer["seed"] = work.seed;
  send(answer);
  works_.remove_if([&](const Work& other) { return &other == &work; });
}

void Server::step() {
  constexpr auto pause = std::chrono::milliseconds(20);  // between two pieces: at once, as far as a reader can tell
  const std::vector<Generator::Ended> all_ended = generator_.step();
  for (auto next = works_.begin(); next != works_.end();) {
    Work& work = *next++;
    const auto ended = std::find_if(all_ended.begin(), all_ended.end(),
                                    [&](const Generator::Ended& e) { return e.number == work.number; });
    if (ended != all_ended.end())
      finish(work, ended->end);
    else if (work.stream && Clock::now() - work.sent > pause)
      send_delta(work);
  }
}
}  // namespace charnn::cli
