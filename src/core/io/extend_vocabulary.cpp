#include "core/io/extend_vocabulary.h"
#include <algorithm>
#include "core/base/error.h"

namespace charnn {
namespace {
/// The mean of the rows of a [V, ...] weight.
std::vector<float> mean_row(const WeightInfo& weight, const float* values) {
  const std::int64_t V = weight.shape[0], width = weight.size / V;
  std::vector<double> sums(width);
  for (std::int64_t i = 0; i < weight.size; ++i) sums[i % width] += values[i];
  std::vector<float> mean;
  for (const double sum : sums) mean.push_back(static_cast<float>(sum / static_cast<double>(V)));
  return mean;
}
}  // namespace

Checkpoint extend_vocabulary(Checkpoint checkpoint, const Vocabulary& wider, const std::vector<float>& fresh) {
  const Vocabulary& narrow = checkpoint.vocabulary;
  if (!std::ranges::includes(wider.symbols(), narrow.symbols()))
    fail_input("the wider vocabulary lacks a symbol of the checkpoint", "all symbols of the checkpoint and more", "");
  checkpoint.opening.clear();  // of another numbering
  for (auto* flat : {&checkpoint.weights, &checkpoint.average, &checkpoint.exp_avg, &checkpoint.exp_avg_sq}) {
    if (flat->empty()) continue;
    std::vector<float> wide;  // in the order of the wider layout
    for (const WeightInfo& weight : checkpoint.layout.weights()) {
      const float* old = flat->data() + weight.offset;
      if (weight.name.starts_with("rnn.")) {
        wide.insert(wide.end(), old, old + weight.size);
        continue;
      }
      const std::int64_t width = weight.size / narrow.size();
      const bool is_weight = flat == &checkpoint.weights || flat == &checkpoint.average;
      const std::vector<float> added = is_weight ? mean_row(weight, old) : std::vector<float>(width);
      for (const char32_t symbol : wider.symbols()) {
        const bool from_fresh = is_weight && weight.name == "encoder.weight";
        const auto id = narrow.id(symbol);
        const float* row = id ? old + *id * width : from_fresh ? fresh.data() + wide.size() : added.data();
        wide.insert(wide.end(), row, row + width);
      }
    }
    *flat = std::move(wide);
  }
  checkpoint.layout = NetworkLayout(checkpoint.layout.config(), wider.size());
  checkpoint.vocabulary = wider;
  return checkpoint;
}
}  // namespace charnn
