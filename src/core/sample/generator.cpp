#include "core/sample/generator.h"
#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>
#include "core/base/utf8.h"
#include "core/sample/stops.h"

namespace charnn {
namespace {
using Clock = std::chrono::steady_clock;
}  // namespace

std::vector<std::int64_t> beginning(const Vocabulary& vocabulary, const std::string& separator) {
  const std::vector<std::int64_t> ids = vocabulary.encode(separator, "data.document_separator");
  if (!ids.empty()) return {ids.back()};
  const auto newline = vocabulary.id(U'\n');
  return newline ? std::vector{*newline} : std::vector<std::int64_t>();
}

struct Generator::Text {
  Text(std::int64_t number_given, TextJob asked, std::span<const std::int64_t> separator)
      : number(number_given),
        job(std::move(asked)),
        random(job.seed),
        recent(job.sampler->no_symbols_yet()),
        starts(separator),
        until(job.stops) {}

  bool reads_prompt() const noexcept { return read < job.prompt.size(); }
  bool out_of_time() const {
    return job.max_seconds > 0 && std::chrono::duration<double>(Clock::now() - start).count() >= job.max_seconds;
  }

  /// Hands out symbols; what is not a whole character yet waits, unless `at_end`.
  bool hand_out(const Vocabulary& vocabulary, const std::vector<std::int64_t>& ids, bool at_end = false) {
    for (const std::int64_t id : ids) unfinished += vocabulary.text(id);
    const std::size_t length = unfinished.size() - (at_end ? 0 : unfinished_utf8(unfinished));
    if (ids.empty() && length == 0) return true;
    const bool go_on = job.on_text({ids, std::string_view(unfinished).substr(0, length)});
    unfinished.erase(0, length);
    return go_on;
  }

  std::int64_t number;
  TextJob job;
  Random random;
  RecentSymbols recent;
  DocumentStarts starts;
  UntilStop until;
  std::string unfinished;
  std::size_t read = 0;      ///< symbols of the prompt
  std::int64_t written = 0;  ///< symbols that were drawn
  Clock::time_point start = Clock::now();
};

Generator::Generator(Stepper& stepper, const Vocabulary& vocabulary, std::vector<std::int64_t> separator)
    : stepper_(stepper), vocabulary_(vocabulary), separator_(std::move(separator)), state_(stepper.zero_state(0)) {}
Generator::~Generator() = default;

bool Generator::idle() const noexcept { return texts_.empty(); }

std::int64_t Generator::add(TextJob job) {
  texts_.emplace_back(next_, std::move(job), separator_);
  return next_++;
}

void Generator::cancel(std::int64_t number) {
  const auto text = std::find_if(texts_.begin(), texts_.end(), [&](const Text& t) { return t.number == number; });
  if (text == texts_.end()) return;
  text->hand_out(vocabulary_, text->until.rest(), /*at_end=*/true);
  admit();
  remove({{number, TextEnd::cancelled}});
}

/// Gives new texts their streams.
void Generator::admit() {
  if (in_state_ == texts_.size()) return;
  std::vector<std::int64_t> from(texts_.size(), -1);
  std::iota(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(in_state_), 0);
  state_ = state_.gather(from);
  logits_.resize(texts_.size() * static_cast<std::size_t>(stepper_.vocabulary_size()), 0.0F);
  ids_.resize(texts_.size());
  in_state_ = texts_.size();
}

void Generator::remove(const std::vector<Ended>& ended) {
  if (ended.empty()) return;
  const auto V = static_cast<std::ptrdiff_t>(stepper_.vocabulary_size());
  std::vector<std::int64_t> from;
  std::vector<float> logits;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (std::any_of(ended.begin(), ended.end(), [&](const Ended& e) { return e.number == texts_[i].number; })) continue;
    const auto row = logits_.begin() + static_cast<std::ptrdiff_t>(i) * V;
    logits.insert(logits.end(), row, row + V);
    if (from.size() < i) {
      ids_[from.size()] = ids_[i];
      texts_[from.size()] = std::move(texts_[i]);
    }
    from.push_back(static_cast<std::int64_t>(i));
  }
  texts_.erase(texts_.begin() + static_cast<std::ptrdiff_t>(from.size()), texts_.end());
  state_ = state_.gather(from);
  logits_ = std::move(logits);
  in_state_ = texts_.size();
}

void Generator::draw_all() {
  constexpr std::int64_t draws_a_thread = 16;
  const auto V = static_cast<std::size_t>(stepper_.vocabulary_size());
  stepper_.pool().run_ranges(
      static_cast<std::int64_t>(texts_.size()), draws_a_thread, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
          Text& text = texts_[i];
          ids_[i] = text.reads_prompt() ? text.job.prompt[text.read]
                                        : (*text.job.sampler)({logits_.data() + i * V, V}, text.recent, text.random);
        }
      });
}

/// Takes a text's next symbol. False: the text has ended, for the reason `end`.
bool Generator::advance(Text& text, std::int64_t id, TextEnd& end) {
  end = TextEnd::length;
  if (text.out_of_time()) {
    end = TextEnd::time;
  } else if (text.reads_prompt()) {
    ++text.read;
    if (text.reads_prompt() || text.job.length > 0) return true;
  } else if (text.written < text.job.length) {
    ++text.written;
    if (!text.hand_out(vocabulary_, text.until.add(id))) {
      end = TextEnd::cancelled;
      return false;
    }
    if (text.until.ended()) end = TextEnd::stop;
    if (!text.until.ended() && text.written < text.job.length) return true;
  }
  text.hand_out(vocabulary_, text.until.rest(), /*at_end=*/true);
  return false;
}

std::vector<Generator::Ended> Generator::step() {
  admit();
  draw_all();
  std::vector<Ended> ended;
  for (std::size_t i = 0; i < texts_.size(); ++i)
    if (TextEnd end; !advance(texts_[i], ids_[i], end)) ended.push_back({texts_[i].number, end});
  remove(ended);
  if (texts_.empty()) return ended;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    texts_[i].recent.add(ids_[i]);
    if (texts_[i].starts.at(ids_[i])) state_.clear(static_cast<std::int64_t>(i));
  }
  stepper_.step(state_, std::span(ids_).first(texts_.size()), logits_);
  return ended;
}

TextEnd generate(Generator& generator, TextJob job, const std::function<bool()>& keep_on) {
  const std::int64_t number = generator.add(std::move(job));
  for (;;) {
    if (keep_on && !keep_on()) {
      generator.cancel(number);
      return TextEnd::cancelled;
    }
    for (const Generator::Ended& ended : generator.step())
      if (ended.number == number) return ended.end;
  }
}
}  // namespace charnn
