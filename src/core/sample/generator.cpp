#include "core/sample/generator.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace charnn {

std::vector<std::int64_t> beginning(const Vocabulary& vocabulary, const std::string& separator) {
  const std::vector<std::int64_t> ids = vocabulary.encode(separator, "data.document_separator");
  if (!ids.empty()) return {ids.back()};
  const auto line_break = vocabulary.id(U'\n');
  return line_break ? std::vector{*line_break} : std::vector<std::int64_t>();
}

struct Generator::Text {
  Text(std::int64_t number_given, TextRequest asked, std::span<const std::int64_t> separator)
      : number(number_given),
        request(std::move(asked)),
        random(request.seed),
        recent(request.sampler->no_symbols_yet()),
        starts(separator) {}

  bool reads_prompt() const noexcept { return read < request.prompt.size(); }

  std::int64_t number;
  TextRequest request;
  Random random;
  RecentSymbols recent;
  DocumentStarts starts;
  std::size_t read = 0;      ///< symbols of the prompt
  std::int64_t written = 0;  ///< symbols that were drawn
};

Generator::Generator(const Stepper& stepper, std::vector<std::int64_t> separator)
    : stepper_(stepper), separator_(std::move(separator)), state_(stepper.zero_state(0)) {}
Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;

bool Generator::idle() const noexcept { return texts_.empty(); }

std::int64_t Generator::add(TextRequest request) {
  texts_.emplace_back(next_, std::move(request), separator_);
  return next_++;
}

void Generator::cancel(std::int64_t text) {
  const auto same = [&](const Text& other) { return other.number == text; };
  if (std::any_of(texts_.begin(), texts_.end(), same)) {
    take_in();
    leave_out({text});
  }
}

void Generator::take_in() {
  if (in_state_ == texts_.size()) return;
  std::vector<std::int64_t> from(texts_.size(), -1);
  std::iota(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(in_state_), 0);
  state_ = stepper_.gather(state_, from);
  logits_.resize(texts_.size() * static_cast<std::size_t>(stepper_.vocabulary_size()), 0.0F);
  ids_.resize(texts_.size());
  in_state_ = texts_.size();
}

void Generator::leave_out(const std::vector<std::int64_t>& ended) {
  if (ended.empty()) return;
  const auto V = static_cast<std::ptrdiff_t>(stepper_.vocabulary_size());
  std::vector<std::int64_t> from;
  std::vector<float> logits;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (std::find(ended.begin(), ended.end(), texts_[i].number) != ended.end()) continue;
    const auto row = logits_.begin() + static_cast<std::ptrdiff_t>(i) * V;
    logits.insert(logits.end(), row, row + V);
    if (from.size() < i) {
      ids_[from.size()] = ids_[i];
      texts_[from.size()] = std::move(texts_[i]);
    }
    from.push_back(static_cast<std::int64_t>(i));
  }
  texts_.erase(texts_.begin() + static_cast<std::ptrdiff_t>(from.size()), texts_.end());
  state_ = stepper_.gather(state_, from);
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
          ids_[i] = text.reads_prompt()
                        ? text.request.prompt[text.read]
                        : (*text.request.sampler)({logits_.data() + i * V, V}, text.recent, text.random);
        }
      });
}

std::vector<std::int64_t> Generator::step() {
  take_in();
  draw_all();
  std::vector<std::int64_t> ended;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    Text& text = texts_[i];
    if (text.reads_prompt()) {
      ++text.read;
      if (!text.reads_prompt() && text.request.length == 0) ended.push_back(text.number);
    } else if (text.written == text.request.length || !text.request.emit(ids_[i]) ||
               ++text.written == text.request.length) {
      ended.push_back(text.number);
    }
  }
  leave_out(ended);
  if (texts_.empty()) return ended;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    texts_[i].recent.add(ids_[i]);
    if (texts_[i].starts.at(ids_[i])) state_.clear(static_cast<std::int64_t>(i));
  }
  stepper_.step(state_, std::span(ids_).first(texts_.size()), logits_);
  return ended;
}

void generate(const Stepper& stepper, std::span<const std::int64_t> separator, TextRequest request,
              const std::function<bool()>& keep_on) {
  Generator generator(stepper, {separator.begin(), separator.end()});
  generator.add(std::move(request));
  while (!generator.idle() && keep_on()) generator.step();
}

}  // namespace charnn
