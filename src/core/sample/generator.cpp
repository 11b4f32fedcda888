#include "core/sample/generator.h"
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include "core/base/clock.h"
#include "core/base/utf8.h"
#include "core/sample/filters.h"
#include "core/sample/stops.h"

namespace charnn {
std::vector<std::int64_t> beginning(const Vocabulary& vocabulary, const std::string& separator,
                                    const std::vector<std::int64_t>& opening) {
  if (separator.empty() && !opening.empty()) return opening;
  const bool newline = separator.empty() && vocabulary.id(U'\n');
  std::vector<std::int64_t> ids = vocabulary.encode(newline ? "\n" : separator, "data.document_separator");
  if (!ids.empty()) ids.erase(ids.begin(), ids.end() - 1);
  return ids;
}

struct Generator::Text {
  bool reads_prompt() const noexcept { return read < job.prompt.size(); }

  /// Passes on symbols; an incomplete character waits, unless `at_end`.
  bool pass_on(const Vocabulary& vocabulary, const std::vector<std::int64_t>& ids, bool at_end = false) {
    for (const std::int64_t one : ids) unfinished += vocabulary.text(one);
    const std::size_t length = unfinished.size() - (at_end ? 0 : unfinished_utf8(unfinished));
    if (ids.empty() && length == 0) return true;
    const bool go_on = job.on_text({ids, std::string_view(unfinished).substr(0, length)});
    unfinished.erase(0, length);
    return go_on;
  }

  /// Takes the symbol `id`, and sets `end` if it ends the text.
  void advance(const Vocabulary& vocabulary) {
    if (job.max_seconds > 0 && seconds_since(start) >= job.max_seconds) {
      end = TextEnd::time;
    } else if (reads_prompt()) {
      ++read;
    } else if (written < job.length) {
      ++written;
      if (!pass_on(vocabulary, until.add(id)))
        end = TextEnd::cancelled;
      else if (until.ended())
        end = TextEnd::stop;
    }
    if (!end && !reads_prompt() && written == job.length) end = TextEnd::length;
    if (end && end != TextEnd::cancelled) pass_on(vocabulary, until.rest(), /*at_end=*/true);
  }

  std::int64_t number;
  TextJob job;
  DocumentStarts starts;
  Random random{job.seed};
  RecentSymbols recent = job.sampler->no_symbols_yet();
  UntilStop until{job.stops};
  std::string unfinished = {};
  std::size_t read = 0;      ///< symbols of the prompt
  std::int64_t written = 0;  ///< symbols drawn
  Clock::time_point start = Clock::now();
  std::int64_t stream = -1;  ///< in state_ and logits_; -1: none yet
  std::int64_t id = 0;       ///< the latest symbol
  std::optional<TextEnd> end = {};
};

Generator::Generator(Stepper& stepper, const Vocabulary& vocabulary, std::vector<std::int64_t> separator,
                     const std::vector<Stepper*>& others)
    : stepper_(stepper), vocabulary_(vocabulary), separator_(std::move(separator)), state_(stepper.zero_state(0)) {
  for (Stepper* other : others) others_.push_back({*other, other->zero_state(0), {}});
}
Generator::~Generator() = default;

bool Generator::idle() const noexcept { return texts_.empty(); }

std::int64_t Generator::add(TextJob job) {
  texts_.push_back({next_, std::move(job), DocumentStarts(separator_)});
  return next_++;
}

void Generator::cancel(std::int64_t number) {
  const auto text = std::find_if(texts_.begin(), texts_.end(), [&](const Text& t) { return t.number == number; });
  if (text == texts_.end()) return;
  text->pass_on(vocabulary_, text->until.rest(), /*at_end=*/true);
  texts_.erase(text);
}

/// Makes stream i that of text i, after texts were added or removed.
void Generator::arrange() {
  std::int64_t next = 0;
  if (state_.streams == std::ssize(texts_) &&
      std::all_of(texts_.begin(), texts_.end(), [&](const Text& text) { return text.stream == next++; }))
    return;
  const std::int64_t V = stepper_.vocabulary_size();
  std::vector<std::int64_t> from;
  std::vector<float> logits(texts_.size() * V);  // zeros for a new text
  for (Text& text : texts_) {
    const std::int64_t to = std::ssize(from);
    if (text.stream >= 0) std::copy_n(logits_.begin() + text.stream * V, V, logits.begin() + to * V);
    from.push_back(std::exchange(text.stream, to));
  }
  state_ = state_.gather(from);
  for (Other& other : others_) other.state = other.state.gather(from);
  logits_ = std::move(logits);
}

std::vector<Generator::Ended> Generator::step() {
  constexpr std::int64_t draws_a_thread = 16;
  const std::int64_t V = stepper_.vocabulary_size();
  arrange();
  stepper_.pool().run_ranges(std::ssize(texts_), draws_a_thread, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      Text& text = texts_[i];
      const auto logits = std::span(logits_).subspan(i * V, V);
      text.id =
          text.reads_prompt() ? text.job.prompt[text.read] : (*text.job.sampler)(logits, text.recent, text.random);
    }
  });
  std::vector<Ended> ended;
  for (Text& text : texts_) {
    if (text.job.on_symbol && (text.reads_prompt() || text.written < text.job.length))
      text.job.on_symbol({text.id, text.reads_prompt(), std::span(logits_).subspan(text.stream * V, V), text.recent});
    text.advance(vocabulary_);
    if (text.end) ended.push_back({text.number, *text.end});
  }
  std::erase_if(texts_, [](const Text& text) { return text.end.has_value(); });
  if (texts_.empty()) return ended;
  arrange();
  std::vector<std::int64_t> ids;
  for (Text& text : texts_) {
    text.recent.add(text.id);
    ids.push_back(text.id);
    if (!text.starts.at(text.id)) continue;
    state_.clear(text.stream);
    for (Other& other : others_) other.state.clear(text.stream);
  }
  step_networks(ids);
  return ended;
}

/// One network's logits, or the logarithms of the mean of what several say.
void Generator::step_networks(std::span<const std::int64_t> ids) {
  stepper_.step(state_, ids, logits_);
  for (Other& other : others_) other.stepper.step(other.state, ids, other.logits);
  if (others_.empty()) return;
  const std::int64_t V = stepper_.vocabulary_size();
  const auto share = 1 / static_cast<float>(others_.size() + 1);
  for (std::int64_t i = 0; i < std::ssize(ids); ++i) {
    const auto row = std::span(logits_).subspan(i * V, V);
    normalize(row);
    for (float& x : row) x = share * std::exp(x);
    for (Other& other : others_) {
      const auto more = std::span(other.logits).subspan(i * V, V);
      normalize(more);
      for (std::int64_t v = 0; v < V; ++v) row[v] += share * std::exp(more[v]);
    }
    for (float& x : row) x = std::log(x);
  }
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
