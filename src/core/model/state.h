#pragma once

#include "core/data/torch.h"
#include "core/model/model_config.h"

namespace charnn {

/// Recurrent state of B streams, the same type for all three cells.
struct State {
  torch::Tensor h;  ///< [layers, B, H]
  torch::Tensor c;  ///< [layers, B, H] for lstm; undefined for rnn and gru

  static State zeros(const ModelConfig& config, std::int64_t batch_size, torch::TensorOptions options);

  State detach() const { return {h.detach(), c.defined() ? c.detach() : c}; }
  State to(torch::Device device) const { return {h.to(device), c.defined() ? c.to(device) : c}; }
};

}  // namespace charnn
