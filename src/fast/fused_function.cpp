#include "fast/fused_function.h"

#include <numeric>

#include <torch/csrc/autograd/custom_function.h>

namespace charnn {
namespace {

/// What both directions need; LibTorch passes it through as it is.
struct Call {
  const FusedNetwork& network;
  FusedWorkspace& work;
  const FusedWindow& window;
  State& state;
};

class FusedLoss : public torch::autograd::Function<FusedLoss> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, torch::TensorList weights, const Call& call) {
    call.network.forward(call.window, call.state, call.work);
    context->saved_data["network"] = reinterpret_cast<std::int64_t>(&call.network);
    context->saved_data["work"] = reinterpret_cast<std::int64_t>(&call.work);
    context->save_for_backward(weights.vec());
    std::vector<float> nats(static_cast<std::size_t>(call.window.steps * call.window.streams));
    copy_nats(call.work, nats.data());
    const double sum = std::accumulate(nats.begin(), nats.end(), 0.0);
    return torch::scalar_tensor(sum / static_cast<double>(nats.size()), torch::kFloat);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list by_loss) {
    // What autograd keeps between the passes holds numbers and tensors, but no pointers.
    // NOLINTBEGIN(performance-no-int-to-ptr)
    const auto& network = *reinterpret_cast<const FusedNetwork*>(context->saved_data["network"].toInt());
    auto& work = *reinterpret_cast<FusedWorkspace*>(context->saved_data["work"].toInt());
    // NOLINTEND(performance-no-int-to-ptr)
    torch::autograd::variable_list gradients;
    for (const torch::Tensor& weight : context->get_saved_variables())
      gradients.push_back(torch::empty_like(weight, torch::MemoryFormat::Contiguous));
    network.backward(work, gradients);
    if (const double scale = by_loss[0].item<double>(); scale != 1)
      for (torch::Tensor& gradient : gradients) gradient.mul_(scale);
    gradients.emplace_back();  // for `call`
    return gradients;
  }
};

}  // namespace

torch::Tensor fused_loss(const FusedNetwork& network, FusedWorkspace& work, const FusedWindow& window, State& state,
                         const std::vector<torch::Tensor>& weights) {
  return FusedLoss::apply(torch::TensorList(weights), Call{network, work, window, state});
}

}  // namespace charnn
