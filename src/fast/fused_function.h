#pragma once

#include <memory>
#include <vector>

#include "core/data/torch.h"
#include "fast/fused_network.h"

namespace charnn {

/// The mean nats per symbol of a training window as an autograd function of the weights. `state` is read and moved on;
/// no gradient flows to it. backward() must come before the next forward pass with the same `work`.
torch::Tensor fused_loss(const FusedNetwork& network, FusedWorkspace& work, const FusedWindow& window, State& state,
                         const std::vector<torch::Tensor>& weights);

}  // namespace charnn
