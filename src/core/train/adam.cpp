#include "core/train/adam.h"
#include <algorithm>
#include <cmath>
#include <string_view>
#include <fmt/format.h>
#include "core/base/error.h"
#include "kernels/elementwise.h"

namespace charnn {
namespace {
/// True if `layer`, as optimizer.freeze names it, has the weight `name`: rnn.1 has rnn.weight_ih_l1.
bool has_weight(std::string_view layer, std::string_view name) {
  const std::size_t dot = std::min(layer.find('.'), layer.size());
  if (!name.starts_with(layer.substr(0, dot)) || name.substr(dot, 1) != ".") return false;
  return dot == layer.size() || name.ends_with(fmt::format("_l{}", layer.substr(dot + 1)));
}
}  // namespace

Adam::Trained Adam::trained_ranges(const NetworkLayout& layout, const OptimizerConfig& config) {
  Trained trained;
  const auto append = [](std::vector<FlatRange>& ranges, const WeightInfo& weight) {
    if (ranges.empty() || ranges.back().end != weight.offset) ranges.push_back({weight.offset, weight.offset});
    ranges.back().end += weight.size;
  };
  std::vector<std::string> unknown = config.freeze;
  for (const WeightInfo& weight : layout.weights()) {
    const auto freezes = [&](const std::string& layer) { return has_weight(layer, weight.name); };
    std::erase_if(unknown, freezes);
    if (std::any_of(config.freeze.begin(), config.freeze.end(), freezes)) continue;
    append(trained.all, weight);
    append(config.weight_decay > 0 && weight.shape.size() > 1 ? trained.decaying : trained.rest, weight);
  }
  if (!unknown.empty())
    fail_input(fmt::format("optimizer.freeze \"{}\": the network has no such layer", unknown[0]),
               "encoder, rnn, rnn.0, rnn.1 and so on, or decoder", "correct the name");
  if (trained.all.empty())
    fail_input("optimizer.freeze names all layers", "at least one that is trained", "leave one of them out");
  return trained;
}

Adam::Adam(Network& network, const OptimizerConfig& config)
    : network_(network),
      config_(config),
      trained_(trained_ranges(network.layout(), config)),
      exp_avg_(network.layout().size(), network.device()),
      exp_avg_sq_(network.layout().size(), network.device()) {
  if (config.average_decay > 0) average_.emplace(network.layout().size(), network.device());
  restore_average({});
}

Scalar Adam::gradient_norm() const { return norm_of(network_.gradients(), trained_.all, network_.pool()); }

void Adam::step(double lr, const Scalar& norm, const Scalar& skip) {
  if (skip.known() && skip != 0) return;
  const auto t = static_cast<double>(++steps_);
  const AdamArrays arrays{network_.change_weights(), network_.gradients(), exp_avg_, exp_avg_sq_};
  const auto update = [&](const std::vector<FlatRange>& ranges, double weight_decay) {
    if (ranges.empty()) return;
    if (network_.device() != Device::cpu) {
      const OptimizerConfig& c = config_;
      return adam_step({steps_, lr, c.beta1, c.beta2, c.eps, c.l2_penalty, weight_decay, c.clip_norm, norm, skip},
                       ranges, arrays);
    }
    const AdamStep step{.lr_over_correction1 = static_cast<float>(lr / (1 - std::pow(config_.beta1, t))),
                        .correction2 = static_cast<float>(std::sqrt(1 - std::pow(config_.beta2, t))),
                        .beta1_rest = static_cast<float>(1 - config_.beta1),
                        .beta2 = static_cast<float>(config_.beta2),
                        .beta2_rest = static_cast<float>(1 - config_.beta2),
                        .eps = static_cast<float>(config_.eps),
                        .l2_penalty = static_cast<float>(config_.l2_penalty),
                        .scale = static_cast<float>(clip_scale(norm, config_.clip_norm)),
                        .keep = static_cast<float>(1 - lr * weight_decay)};
    for (const FlatRange& range : ranges) adam_step(step, range, arrays, network_.pool());
  };
  update(trained_.decaying, config_.weight_decay);
  update(trained_.rest, 0);
  const double d = config_.average_decay;
  if (average_)
    blend(static_cast<float>((1 - d) / (1 - std::pow(d, t))), skip, arrays.weights, *average_, network_.pool());
}

void Adam::restore(std::span<const float> exp_avg, std::span<const float> exp_avg_sq, std::int64_t steps) {
  exp_avg_.assign(exp_avg);
  exp_avg_sq_.assign(exp_avg_sq);
  steps_ = steps;
}

void Adam::restore_average(std::span<const float> average) {
  if (!average_) return;
  if (average.empty())
    average_->assign(network_.weights());
  else
    average_->assign(average);
}

AveragedWeights::AveragedWeights(Network& network, const Adam& adam) : network_(network) {
  if (adam.average() == nullptr) return;
  trained_.emplace(network.weights());
  network.change_weights().assign(*adam.average());
}

AveragedWeights::~AveragedWeights() {
  if (trained_) network_.change_weights().assign(*trained_);
}
}  // namespace charnn
