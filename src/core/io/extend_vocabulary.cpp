#include "core/io/extend_vocabulary.h"

#include <string_view>

#include "core/base/error.h"

namespace charnn {
namespace {

bool has_a_row_a_symbol(std::string_view name) { return name == "encoder.weight" || name.substr(0, 8) == "decoder."; }

/// `rows` with the old rows put where they now belong.
torch::Tensor moved(const torch::Tensor& old, const torch::Tensor& places, torch::Tensor rows) {
  return rows.index_copy_(0, places, old);
}

}  // namespace

Checkpoint extend_vocabulary(Checkpoint checkpoint, const Vocabulary& wider, const NamedTensors& fresh) {
  const torch::NoGradGuard no_grad;
  std::vector<std::int64_t> ids;
  for (const char32_t symbol : checkpoint.vocabulary.symbols()) {
    const auto id = wider.id(symbol);
    if (!id)
      fail_input("the wider vocabulary lacks a symbol of the checkpoint", "all symbols of the checkpoint and more", "");
    ids.push_back(*id);
  }
  const torch::Tensor places = torch::tensor(ids, torch::kInt64);
  const auto sizes = [&](const torch::Tensor& old) {
    std::vector<std::int64_t> wide = old.sizes().vec();
    wide[0] = wider.size();
    return wide;
  };
  for (auto& [name, old] : checkpoint.model) {
    if (!has_a_row_a_symbol(name)) continue;
    torch::Tensor rows = old.mean(0, /*keepdim=*/true).expand(sizes(old)).clone();
    for (const auto& [other, weight] : fresh)
      if (name == "encoder.weight" && other == name) rows = weight.detach().to(torch::kCPU).clone();
    old = moved(old, places, rows);
  }
  for (NamedTensors* moments : {&checkpoint.exp_avg, &checkpoint.exp_avg_sq})
    for (auto& [name, old] : *moments)
      if (has_a_row_a_symbol(name)) old = moved(old, places, torch::zeros(sizes(old), old.options()));
  checkpoint.vocabulary = wider;
  return checkpoint;
}

}  // namespace charnn
