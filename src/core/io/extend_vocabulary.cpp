#include "core/io/extend_vocabulary.h"
#include <algorithm>
#include "core/base/error.h"

namespace charnn {
namespace {
bool has_a_row_a_symbol(const WeightInfo& weight) {
  return weight.name == "encoder.weight" || weight.name.starts_with("decoder.");
}

/// The mean of the rows of a [V, ...] weight.
std::vector<float> mean_row(const WeightInfo& weight, const float* values) {
  const std::int64_t V = weight.shape[0], width = weight.size / V;
  std::vector<double> sums(static_cast<std::size_t>(width));
  for (std::int64_t i = 0; i < weight.size; ++i)
    sums[static_cast<std::size_t>(i % width)] += static_cast<double>(values[i]);
  std::vector<float> mean;
  for (const double sum : sums) mean.push_back(static_cast<float>(sum / static_cast<double>(V)));
  return mean;
}
}  // namespace

Checkpoint extend_vocabulary(Checkpoint checkpoint, const Vocabulary& wider, const std::vector<float>& fresh) {
  std::vector<std::int64_t> ids;  // of the old symbols in the wider vocabulary
  for (const char32_t symbol : checkpoint.vocabulary.symbols()) {
    const auto id = wider.id(symbol);
    if (!id)
      fail_input("the wider vocabulary lacks a symbol of the checkpoint", "all symbols of the checkpoint and more", "");
    ids.push_back(*id);
  }
  const NetworkLayout old_layout = checkpoint.layout;
  checkpoint.layout = NetworkLayout(old_layout.config(), wider.size());
  for (std::vector<float>* flat : {&checkpoint.weights, &checkpoint.exp_avg, &checkpoint.exp_avg_sq}) {
    std::vector<float> wide(static_cast<std::size_t>(checkpoint.layout.size()));  // moments of new rows are zero
    for (std::size_t i = 0; i < old_layout.weights().size(); ++i) {
      const WeightInfo &from = old_layout.weights()[i], &to = checkpoint.layout.weights()[i];
      const float* old = flat->data() + from.offset;
      float* out = wide.data() + to.offset;
      if (!has_a_row_a_symbol(from)) {
        std::copy_n(old, from.size, out);
        continue;
      }
      const std::int64_t width = from.size / from.shape[0];
      if (flat == &checkpoint.weights && from.name == "encoder.weight") {
        std::copy_n(fresh.data() + to.offset, to.size, out);
      } else if (flat == &checkpoint.weights) {
        const std::vector<float> mean = mean_row(from, old);
        for (std::int64_t row = 0; row < to.shape[0]; ++row) std::copy(mean.begin(), mean.end(), out + row * width);
      }
      for (std::size_t row = 0; row < ids.size(); ++row)
        std::copy_n(old + static_cast<std::int64_t>(row) * width, width, out + ids[row] * width);
    }
    *flat = std::move(wide);
  }
  checkpoint.vocabulary = wider;
  return checkpoint;
}
}  // namespace charnn
