#include "charnn/train/adam.h"

#include <cmath>

namespace charnn {

Adam::Adam(NamedTensors parameters, const OptimizerConfig& config)
    : parameters_(std::move(parameters)), config_(config) {
  for (const auto& [name, weight] : parameters_) {
    exp_avg_.emplace_back(name, torch::zeros_like(weight, torch::MemoryFormat::Contiguous).detach());
    exp_avg_sq_.emplace_back(name, torch::zeros_like(weight, torch::MemoryFormat::Contiguous).detach());
  }
}

double Adam::clip_gradients(double max_norm) {
  std::vector<torch::Tensor> norms;
  for (const auto& [name, weight] : parameters_) norms.push_back(weight.grad().norm());
  const double norm = torch::stack(norms).norm().item<double>();
  if (max_norm > 0 && norm > max_norm)
    for (const auto& [name, weight] : parameters_) weight.grad().mul_(max_norm / (norm + 1e-6));
  return norm;
}

void Adam::step(double lr) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  const double correction1 = 1 - std::pow(config_.beta1, static_cast<double>(steps_));
  const double correction2 = std::sqrt(1 - std::pow(config_.beta2, static_cast<double>(steps_)));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    torch::Tensor& weight = parameters_[i].second;
    const torch::Tensor gradient =
        config_.weight_decay == 0 ? weight.grad() : weight.grad().add(weight, config_.weight_decay);
    exp_avg_[i].second.lerp_(gradient, 1 - config_.beta1);
    exp_avg_sq_[i].second.mul_(config_.beta2).addcmul_(gradient, gradient, 1 - config_.beta2);
    const torch::Tensor denominator = exp_avg_sq_[i].second.sqrt().div_(correction2).add_(config_.eps);
    weight.addcdiv_(exp_avg_[i].second, denominator, -lr / correction1);
  }
}

void Adam::zero_grad() {
  for (const auto& [name, weight] : parameters_) torch::Tensor(weight).mutable_grad() = torch::Tensor();
}

void Adam::restore(const NamedTensors& exp_avg, const NamedTensors& exp_avg_sq, std::int64_t steps) {
  copy_by_name(exp_avg, exp_avg_, "optimizer.exp_avg");
  copy_by_name(exp_avg_sq, exp_avg_sq_, "optimizer.exp_avg_sq");
  steps_ = steps;
}

}  // namespace charnn
