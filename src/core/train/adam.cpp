#include "core/train/adam.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "core/base/error.h"
#include "kernels/vector_kernels.h"

namespace charnn {
namespace {

/// Whether `layer`, as optimizer.freeze names them, has the weight `name`: rnn.1 has rnn.weight_ih_l1.
bool has_weight(std::string_view layer, std::string_view name) {
  const std::size_t dot = std::min(layer.find('.'), layer.size());
  if (!name.starts_with(layer.substr(0, dot)) || name.substr(dot, 1) != ".") return false;
  return dot == layer.size() || name.ends_with(fmt::format("_l{}", layer.substr(dot + 1)));
}

std::set<std::string> frozen_names(const NamedTensors& parameters, const std::vector<std::string>& layers) {
  std::set<std::string> frozen;
  for (const std::string& layer : layers) {
    bool found = false;
    for (const auto& [name, weight] : parameters)
      if (has_weight(layer, name)) found = true, frozen.insert(name);
    if (!found)
      fail_input(fmt::format("optimizer.freeze \"{}\": the network has no such layer", layer),
                 "encoder, rnn, rnn.0, rnn.1 and so on, or decoder", "correct the name");
  }
  if (frozen.size() == parameters.size())
    fail_input("optimizer.freeze names all layers", "at least one that is trained", "leave one of them out");
  return frozen;
}

}  // namespace

Adam::Adam(NamedTensors parameters, const OptimizerConfig& config, ThreadPool& pool)
    : parameters_(std::move(parameters)), config_(config), pool_(pool) {
  constexpr std::int64_t chunk = 1 << 14;
  const std::set<std::string> frozen = frozen_names(parameters_, config.freeze);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& [name, weight] = parameters_[i];
    exp_avg_.emplace_back(name, torch::zeros_like(weight, torch::MemoryFormat::Contiguous).detach());
    exp_avg_sq_.emplace_back(name, torch::zeros_like(weight, torch::MemoryFormat::Contiguous).detach());
    if (frozen.contains(name)) continue;
    trained_.push_back(i);
    for (std::int64_t begin = 0; begin < weight.numel(); begin += chunk)
      chunks_.push_back({i, begin, std::min(begin + chunk, weight.numel())});
  }
}

bool Adam::on_cpu() const {
  return parameters_[0].second.is_cpu() && parameters_[0].second.scalar_type() == torch::kFloat;
}

double Adam::gradient_norm() const {
  if (!on_cpu()) {
    std::vector<torch::Tensor> norms;
    for (const std::size_t i : trained_) norms.push_back(parameters_[i].second.grad().norm());
    return torch::stack(norms).norm().item<double>();
  }
  // Summed chunk by chunk in their order, whichever thread took which.
  std::vector<double> squares(chunks_.size());
  pool_.run(static_cast<std::int64_t>(chunks_.size()), [&](std::int64_t i) {
    const Chunk& c = chunks_[static_cast<std::size_t>(i)];
    squares[static_cast<std::size_t>(i)] =
        sum_of_squares(parameters_[c.parameter].second.grad().data_ptr<float>() + c.begin, c.end - c.begin);
  });
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

void Adam::step(double lr, double gradient_scale) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  const double correction1 = 1 - std::pow(config_.beta1, static_cast<double>(steps_));
  const double correction2 = std::sqrt(1 - std::pow(config_.beta2, static_cast<double>(steps_)));
  if (!on_cpu()) {
    for (const std::size_t i : trained_) {
      torch::Tensor& weight = parameters_[i].second;
      const torch::Tensor gradient = weight.grad().mul(gradient_scale).add(weight, config_.weight_decay);
      exp_avg_[i].second.lerp_(gradient, 1 - config_.beta1);
      exp_avg_sq_[i].second.mul_(config_.beta2).addcmul_(gradient, gradient, 1 - config_.beta2);
      const torch::Tensor denominator = exp_avg_sq_[i].second.sqrt().div_(correction2).add_(config_.eps);
      weight.addcdiv_(exp_avg_[i].second, denominator, -lr / correction1);
    }
    return;
  }
  const AdamStep step{.lr_over_correction1 = static_cast<float>(lr / correction1),
                      .correction2 = static_cast<float>(correction2),
                      .beta1_rest = static_cast<float>(1 - config_.beta1),
                      .beta2 = static_cast<float>(config_.beta2),
                      .beta2_rest = static_cast<float>(1 - config_.beta2),
                      .eps = static_cast<float>(config_.eps),
                      .weight_decay = static_cast<float>(config_.weight_decay),
                      .scale = static_cast<float>(gradient_scale)};
  pool_.run(static_cast<std::int64_t>(chunks_.size()), [&](std::int64_t i) {
    const Chunk& c = chunks_[static_cast<std::size_t>(i)];
    const torch::Tensor& weight = parameters_[c.parameter].second;
    adam_step(step, weight.data_ptr<float>() + c.begin, weight.grad().data_ptr<float>() + c.begin,
              exp_avg_[c.parameter].second.data_ptr<float>() + c.begin,
              exp_avg_sq_[c.parameter].second.data_ptr<float>() + c.begin, c.end - c.begin);
  });
  // Written behind LibTorch's back: who keeps a packed copy of the weights looks at their versions.
  for (const std::size_t i : trained_) parameters_[i].second.unsafeGetTensorImpl()->bump_version();
}

double clip_scale(double norm, double max_norm) {
  return max_norm > 0 && norm > max_norm ? max_norm / (norm + 1e-6) : 1;
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
