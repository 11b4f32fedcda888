#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>
#include "core/model/model_config.h"

namespace charnn {
/// One weight matrix or bias, and its place in a flat buffer.
struct WeightInfo {
  std::string name;                 ///< PyTorch's name: "rnn.weight_ih_l0"
  std::vector<std::int64_t> shape;  ///< row-major
  std::int64_t offset = 0;          ///< in floats
  std::int64_t size = 0;            ///< in floats

  bool operator==(const WeightInfo&) const = default;
};

/// Which weights a network has, what they are called, and where each lies in the flat buffers that hold all weights,
/// gradients or moments. V symbols, embedding E, hidden H, G gates (gate_count()):
///
///   encoder.weight [V, E]
///   rnn.weight_ih_l0 [G H, E], rnn.weight_hh_l0 [G H, H], rnn.bias_ih_l0 [G H], rnn.bias_hh_l0 [G H]
///   rnn.weight_ih_l1 [G H, H], ...
///   decoder.weight [V, H], decoder.bias [V]
///
/// Names, shapes and gate order are PyTorch's. Checkpoints, freezing, the CPU path and the LibTorch module all follow
/// this list.
class NetworkLayout {
 public:
  NetworkLayout(const ModelConfig& config, std::int64_t vocabulary_size);

  const ModelConfig& config() const noexcept { return config_; }
  std::int64_t vocabulary_size() const noexcept { return vocabulary_size_; }
  const std::vector<WeightInfo>& weights() const noexcept { return weights_; }
  std::int64_t size() const noexcept { return size_; }  ///< parameters in all

  enum class Part { weight_ih, weight_hh, bias_ih, bias_hh };
  const WeightInfo& encoder() const { return weights_.front(); }
  const WeightInfo& rnn(std::int64_t layer, Part part) const {
    return weights_[static_cast<std::size_t>(1 + 4 * layer) + static_cast<std::size_t>(part)];
  }
  const WeightInfo& decoder_weight() const { return weights_[weights_.size() - 2]; }
  const WeightInfo& decoder_bias() const { return weights_.back(); }

 private:
  ModelConfig config_;
  std::int64_t vocabulary_size_;
  std::vector<WeightInfo> weights_;
  std::int64_t size_ = 0;
};
}  // namespace charnn
