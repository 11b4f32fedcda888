#include "charnn/sample/generator.h"

#include <algorithm>
#include <cmath>

namespace charnn {

std::int64_t draw(std::span<const float> logits, double temperature, Random& random) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  if (temperature == 0) return largest - logits.begin();
  std::vector<double> cumulative(logits.size());
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    // Less the largest logit, so that exp cannot overflow.
    sum += std::exp((static_cast<double>(logits[i]) - static_cast<double>(*largest)) / temperature);
    cumulative[i] = sum;
  }
  const auto drawn = std::upper_bound(cumulative.begin(), cumulative.end(), random.uniform() * sum);
  return std::min<std::int64_t>(drawn - cumulative.begin(), static_cast<std::int64_t>(logits.size()) - 1);
}

void generate(const Stepper& stepper, const Vocabulary& vocabulary, std::span<const std::int64_t> prompt,
              const SampleConfig& config, std::uint64_t seed, const std::function<bool(std::int64_t)>& emit) {
  Random random(seed);
  StepState state = stepper.zero_state();
  std::vector<float> logits(static_cast<std::size_t>(stepper.vocabulary_size()), 0.0F);
  for (const std::int64_t id : prompt) stepper.step(state, id, logits);
  const auto line_break = vocabulary.id(U'\n');
  if (prompt.empty() && line_break) stepper.step(state, *line_break, logits);
  for (std::int64_t i = 0; i < config.length; ++i) {
    const std::int64_t id = draw(logits, config.temperature, random);
    if (!emit(id)) return;
    stepper.step(state, id, logits);
  }
}

}  // namespace charnn
