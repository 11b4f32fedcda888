#include "core/model/network_layout.h"
#include <utility>
#include <fmt/format.h>

namespace charnn {
NetworkLayout::NetworkLayout(const ModelConfig& config, std::int64_t vocabulary_size)
    : config_(config), vocabulary_size_(vocabulary_size) {
  const std::int64_t V = vocabulary_size, E = config.embedding, H = config.hidden, rows = gate_count(config.cell) * H;
  const auto add = [&](std::string name, std::vector<std::int64_t> shape) {
    std::int64_t size = 1;
    for (const std::int64_t n : shape) size *= n;
    weights_.push_back({std::move(name), std::move(shape), size_, size});
    size_ += size;
  };
  add("encoder.weight", {V, E});
  for (std::int64_t l = 0; l < config.layers; ++l) {
    add(fmt::format("rnn.weight_ih_l{}", l), {rows, l == 0 ? E : H});
    add(fmt::format("rnn.weight_hh_l{}", l), {rows, H});
    add(fmt::format("rnn.bias_ih_l{}", l), {rows});
    add(fmt::format("rnn.bias_hh_l{}", l), {rows});
  }
  add("decoder.weight", {V, H});
  add("decoder.bias", {V});
}
}  // namespace charnn
