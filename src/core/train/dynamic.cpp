#include "core/train/dynamic.h"
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>
#include "core/base/error.h"

namespace charnn {
DynamicNetwork::DynamicNetwork(Network& network, const Checkpoint& trained, const DynamicOptions& options)
    : network_(network),
      options_(options),
      trained_(network.weights()),
      rates_(network.layout().size(), network.device()),
      decays_(network.layout().size(), network.device()) {
  std::vector<float> roots(trained.exp_avg_sq);
  for (float& value : roots) value = std::sqrt(value);
  const double mean = std::accumulate(roots.begin(), roots.end(), 0.0) / static_cast<double>(roots.size());
  if (!(mean > 0))
    fail_input("a network that has not been trained: Adam's second moments are zeros",
               "those of its training, by which dynamic evaluation scales its steps", "train it first");
  std::vector<float> rates, decays;
  for (const float root : roots) {
    rates.push_back(static_cast<float>(options.rate / (static_cast<double>(root) + mean)));
    decays.push_back(static_cast<float>(std::min(1.0, options.decay * static_cast<double>(root) / mean)));
  }
  rates_.assign(rates);
  decays_.assign(decays);
}

void DynamicNetwork::score_and_learn(const Batch& segment, State& state, std::span<float> nats) {
  network_.train_window(segment, state, nats);
  const auto share = static_cast<float>(segment.steps) / static_cast<float>(options_.segment);  // the last may be short
  dynamic_step({share, trained_, rates_, decays_}, network_.gradients(), network_.change_weights(), network_.pool());
}

std::optional<EvalResult> evaluate_dynamic(DynamicNetwork& dynamic, const Corpus& corpus, Split split,
                                           const EvalOptions& options) {
  const std::int64_t predictions = require_predictions(split, options), begin = first_predicted(options);
  State state = dynamic.network().zero_state(1);
  EvalResult result;
  std::vector<float> nats;
  const auto take = [&](const Batch& segment) {
    nats.resize(segment.input.size());
    dynamic.score_and_learn(segment, state, nats);
    if (options.each) options.each(result.chars + begin, nats);
    result.nats = std::accumulate(nats.begin(), nats.end(), result.nats);
    result.chars += segment.steps;
    if (options.progress) options.progress(segment.steps);
  };
  if (begin == 0) {
    state = state_after(dynamic.network(), std::span(options.opening).first(options.opening.size() - 1));
    Batch first(1, 1, false);
    first.input = {options.opening.back()};
    corpus.copy(split.begin, first.target);
    take(first);
    if (predictions == 1) return result;
  }
  Batcher batcher(corpus, split, 1, std::min(dynamic.options().segment, split.size() - 1));
  while (result.chars < predictions) {
    if (options.stop && options.stop()) return std::nullopt;
    take(batcher.next());
  }
  return result;
}
}  // namespace charnn
