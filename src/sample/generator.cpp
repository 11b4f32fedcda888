#include "charnn/sample/generator.h"

#include <algorithm>
#include <vector>

#include "charnn/model/vector_kernels.h"

namespace charnn {

std::int64_t draw(std::span<const float> logits, double temperature, Random& random) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  if (temperature == 0) return largest - logits.begin();
  thread_local std::vector<float> cumulative;
  cumulative.resize(logits.size());
  // Less the largest logit, so that exp cannot overflow.
  exp_of(logits.data(), *largest, static_cast<float>(std::min(1 / temperature, 1e30)), cumulative.data(),
         static_cast<std::int64_t>(logits.size()));
  double sum = 0;
  for (float& value : cumulative) value = static_cast<float>(sum += static_cast<double>(value));
  const auto drawn =
      std::upper_bound(cumulative.begin(), cumulative.end(), static_cast<float>(random.uniform() * sum));
  return std::min<std::int64_t>(drawn - cumulative.begin(), static_cast<std::int64_t>(logits.size()) - 1);
}

std::vector<std::int64_t> beginning(const Vocabulary& vocabulary, const std::string& separator) {
  const std::vector<std::int64_t> ids = vocabulary.encode(separator, "data.document_separator");
  if (!ids.empty()) return {ids.back()};
  const auto line_break = vocabulary.id(U'\n');
  return line_break ? std::vector{*line_break} : std::vector<std::int64_t>();
}

bool DocumentStarts::at(std::int64_t id) {
  if (separator_.empty()) return false;
  if (latest_.size() == separator_.size()) latest_.erase(latest_.begin());
  latest_.push_back(id);
  return latest_ == separator_;
}

void generate(const Stepper& stepper, std::span<const std::int64_t> prompt,
              std::span<const std::int64_t> separator, const SampleConfig& config, std::uint64_t seed,
              const std::function<bool(std::int64_t)>& emit) {
  generate(stepper, prompt, separator, config, {&seed, 1},
           [&](std::size_t, std::int64_t id) { return emit(id); });
}

void generate(const Stepper& stepper, std::span<const std::int64_t> prompt,
              std::span<const std::int64_t> separator, const SampleConfig& config,
              std::span<const std::uint64_t> seeds,
              const std::function<bool(std::size_t, std::int64_t)>& emit) {
  const std::size_t V = static_cast<std::size_t>(stepper.vocabulary_size());
  std::vector<Random> random(seeds.begin(), seeds.end());
  std::vector<std::int64_t> ids(seeds.size());
  std::vector<DocumentStarts> starts(seeds.size(), DocumentStarts(separator));
  StepState state = stepper.zero_state(static_cast<std::int64_t>(seeds.size()));
  std::vector<float> logits(seeds.size() * V, 0.0F);
  const auto feed = [&] {
    for (std::size_t s = 0; s < ids.size(); ++s)
      if (starts[s].at(ids[s])) state.clear(static_cast<std::int64_t>(s));
    stepper.step(state, ids, logits);
  };
  for (const std::int64_t id : prompt) {
    std::fill(ids.begin(), ids.end(), id);
    feed();
  }
  for (std::int64_t i = 0; i < config.length; ++i) {
    constexpr std::int64_t draws_a_thread = 16;
    stepper.pool().run_ranges(
        static_cast<std::int64_t>(seeds.size()), draws_a_thread, [&](std::int64_t begin, std::int64_t end) {
          for (auto s = static_cast<std::size_t>(begin); s < static_cast<std::size_t>(end); ++s)
            ids[s] = draw({logits.data() + s * V, V}, config.temperature, random[s]);
        });
    for (std::size_t s = 0; s < ids.size(); ++s)
      if (!emit(s, ids[s])) return;
    feed();
  }
}

std::vector<std::int64_t> UntilSeparator::add(std::int64_t id) {
  if (ended_) return {};
  waiting_.push_back(id);
  if (!separator_.empty() && waiting_ == separator_) {
    waiting_.clear();
    ended_ = true;
    return {};
  }
  // The longest end of what waits that begins the separator goes on waiting.
  std::size_t shown = 0;
  while (shown < waiting_.size() && (waiting_.size() - shown >= separator_.size() ||
                                     !std::equal(waiting_.begin() + static_cast<std::ptrdiff_t>(shown),
                                                 waiting_.end(), separator_.begin())))
    ++shown;
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(shown);
  std::vector<std::int64_t> now(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
  return now;
}

}  // namespace charnn
