#include "core/cli/text_service.h"
#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <numbers>
#include <utility>
#include <fmt/format.h>
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/io/json_config.h"
#include "core/sample/filters.h"

namespace charnn::cli {
using nlohmann::json;
using nlohmann::ordered_json;

/// What a request says about its answer.
struct Wishes {
  std::int64_t seed = -1;  ///< -1: not given
  bool stream = false;
  bool echo = false;
  std::int64_t expected = 0;  ///< how many symbols to name that were expected; 0: none
};

/// A text being written for a request.
struct TextService::Work : Wishes {
  json id;
  Send send;
  std::int64_t number = 0;                       ///< the generator's
  std::string text = {};                         ///< not sent yet
  ordered_json symbols = ordered_json::array();  ///< of that text, with what was expected in their places
  std::deque<ordered_json> waiting = {};         ///< drawn, but not part of the text yet
  std::size_t unshown = 0;                       ///< symbols still to be read before the prompt
  std::int64_t chars = 0;
  bool gone = false;  ///< nobody reads the answers
  Clock::time_point sent = {};

  void answer(const ordered_json& line) { gone = gone || !send(line); }
};

namespace {
/// `options` with the changes that a request asks for; what concerns only its answer goes to `wishes`.
TextOptions options_of(const json& request, TextOptions options, Wishes& wishes) {
  std::vector<Field> fields = describe(options.config).fields;
  // The weights are loaded already, and texts are drawn, not searched for.
  std::erase_if(fields, [](const Field& field) { return field.name == "weights" || field.name == "beams"; });
  fields.push_back(Field::text("prompt", options.prompt, ""));
  fields.push_back(Field::text_list("stop", options.stops));
  fields.push_back(Field::real("max_seconds", options.max_seconds, above(0)));
  fields.push_back(Field::choice("unknown", options.unknown, on_unknown_names, ""));
  fields.push_back(Field::integer("seed", wishes.seed, at_least(0)));
  fields.push_back(Field::integer("expected", wishes.expected, from_to(0, 20)));
  const std::map<std::string, bool*> switches{{"until_line", &options.until_line},
                                              {"one_document", &options.one_document},
                                              {"stream", &wishes.stream},
                                              {"echo", &wishes.echo}};
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
      fail_input(fmt::format("unknown key {}", where), "a key of a request", did_you_mean(nearest(key, names)));
    }
    const auto value = to_value(key == "stop" && item.is_string() ? json::array({item}) : item);
    if (!value) fail_input(fmt::format("{} = {}", where, item.dump()), field->allowed_text(), "");
    assign(*field, *value, where);
  }
  return options;
}

/// [symbol, its bits, [[an expected one, its probability for the network, and as it was drawn from], ...]]
ordered_json described(const Prediction& p, const Sampler& sampler, const Vocabulary& vocabulary, std::int64_t most) {
  std::vector<float> plain(p.logits.begin(), p.logits.end()), drawn(plain.size());
  normalize(plain);
  sampler.weigh(p.logits, p.recent, drawn);
  const auto short_number = [](double number) { return std::round(number * 1e4) / 1e4; };
  ordered_json expected = ordered_json::array();
  for (const auto& [id, probability] : most_likely(p.logits, most))
    expected.push_back({vocabulary.text(id), short_number(probability), short_number(std::exp(drawn[id]))});
  return {vocabulary.text(p.id), short_number(-plain[p.id] / std::numbers::ln2), std::move(expected)};
}
}  // namespace

TextService::TextService(TextMaker& maker, TextOptions defaults, const ServiceLimits& limits, std::uint64_t seed)
    : maker_(maker), defaults_(std::move(defaults)), limits_(limits), next_seed_(seed), generator_(maker.generator()) {}

TextService::~TextService() = default;

void TextService::handle(const json& request, const Send& send) {
  const json id = request.value("id", json());
  try {
    if (request.contains("cancel"))
      cancel(request, id);
    else
      start(request, id, send);
  } catch (const Error& error) {
    send({{"id", id}, {"error", error.what()}});
  }
}

void TextService::step() {
  const std::vector<Generator::Ended> all_ended = generator_.step();
  for (auto next = works_.begin(); next != works_.end();) {
    const auto work = next++;
    const auto ended = std::find_if(all_ended.begin(), all_ended.end(),
                                    [&](const Generator::Ended& e) { return e.number == work->number; });
    if (ended != all_ended.end()) {
      finish(work, ended->end);
    } else if (work->gone) {
      generator_.cancel(work->number);
      works_.erase(work);
    } else if (work->stream && seconds_since(work->sent) > 0.02) {  // looks immediate
      send_delta(*work);
    }
  }
}

void TextService::start(const json& request, const json& id, const Send& send) {
  if (std::ssize(works_) >= limits_.requests)
    fail_input(fmt::format("{} requests are already in progress", works_.size()),
               fmt::format("at most {}", limits_.requests), "wait for an answer, or raise --max-requests");
  if (!id.is_null() && find(id) != works_.end())
    fail_input("a request with this id is in progress", "a different id for each request", "");
  std::list<Work> added(1);  // moves to works_ at the end, and keeps its address
  Work& work = added.front();
  work.id = id;
  work.send = send;
  TextOptions options = options_of(request, defaults_, work);
  if (options.config.length > limits_.length)
    fail_input(fmt::format("\"length\" {}", options.config.length), fmt::format("at most {}", limits_.length),
               "ask for less, or raise --max-length");
  if (limits_.seconds > 0 && (options.max_seconds == 0 || options.max_seconds > limits_.seconds))
    options.max_seconds = limits_.seconds;
  PreparedText prepared = maker_.prepare(options);
  if (work.seed < 0) work.seed = static_cast<std::int64_t>(next_seed_++);
  prepared.job.seed = static_cast<std::uint64_t>(work.seed);
  prepared.job.on_text = [&work](const TextPiece& piece) {
    work.chars += std::ssize(piece.ids);
    work.text += piece.text;
    for (std::size_t i = 0; i < piece.ids.size() && work.expected > 0; ++i) {
      work.symbols.push_back(std::move(work.waiting.front()));
      work.waiting.pop_front();
    }
    return true;
  };
  if (work.expected > 0) explain(prepared, work);
  if (work.echo && work.expected == 0) work.text = prepared.shown_prompt;
  work.number = generator_.add(std::move(prepared.job));
  works_.splice(works_.end(), added);
  if (!prepared.note.empty()) work.answer({{"id", id}, {"note", prepared.note}});
}

/// Collects what the network expects at each symbol.
void TextService::explain(PreparedText& prepared, Work& work) {
  work.unshown = prepared.unshown;
  prepared.job.on_symbol = [this, &work, sampler = prepared.job.sampler](const Prediction& p) {
    if (p.in_prompt && work.unshown > 0) {
      --work.unshown;
    } else if (!p.in_prompt) {
      work.waiting.push_back(described(p, *sampler, maker_.vocabulary(), work.expected));
    } else if (work.echo) {
      work.text += maker_.vocabulary().text(p.id);
      work.symbols.push_back(described(p, *sampler, maker_.vocabulary(), work.expected));
    }
  };
}

void TextService::cancel(const json& request, const json& id) {
  if (request.size() != 2 || id.is_null() || request["cancel"] != true)
    fail_input("\"cancel\" with other keys, without \"id\", or not true", "{\"id\": ..., \"cancel\": true}", "");
  const auto work = find(id);
  if (work == works_.end()) fail_input("no request with this id is in progress", "the id of one that is", "");
  generator_.cancel(work->number);
  finish(work, TextEnd::cancelled);
}

void TextService::finish(std::list<Work>::iterator work, TextEnd end) {
  if (work->stream) send_delta(*work);
  ordered_json answer = {{"id", work->id}};
  if (!work->stream) put_text(answer, "text", work->text);
  if (!work->stream && work->expected > 0) answer["symbols"] = work->symbols;
  answer.update({{"end", name_of(end, text_end_names)}, {"chars", work->chars}, {"seed", work->seed}});
  work->answer(answer);
  works_.erase(work);
}

void TextService::send_delta(Work& work) {
  if (work.text.empty() && work.symbols.empty()) return;
  ordered_json answer = {{"id", work.id}};
  put_text(answer, "delta", std::exchange(work.text, {}));
  if (work.expected > 0) answer["symbols"] = std::exchange(work.symbols, ordered_json::array());
  work.answer(answer);
  work.sent = Clock::now();
}

std::list<TextService::Work>::iterator TextService::find(const json& id) {
  return std::find_if(works_.begin(), works_.end(), [&](const Work& work) { return work.id == id; });
}
}  // namespace charnn::cli
