#include "core/model/torch_network.h"
#include <algorithm>
#include <utility>
#include <vector>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <torch/csrc/autograd/autograd.h>
#include "core/model/char_rnn.h"
#include "core/model/torch_runtime.h"

namespace charnn {
namespace {
class TorchState : public DeviceState {
 public:
  explicit TorchState(CharRnn::State values) : values_(std::move(values)) {}
  /// From charnn's layout to PyTorch's.
  TorchState(const State& state, torch::Device device) {
    const auto tensor = [&](const AlignedFloats& part) {
      std::vector<float> rows = to_rows(state, part);
      return torch::from_blob(rows.data(), {state.layers, state.streams, state.hidden}).clone().to(device);
    };
    values_ = {tensor(state.h), state.has_c ? tensor(state.c) : torch::Tensor()};
  }

  const CharRnn::State& values() const { return values_; }

  void copy_to(State& state) const override {
    const auto copy = [&](const torch::Tensor& tensor, AlignedFloats& part) {
      const torch::Tensor host = tensor.to(torch::kCPU, torch::kFloat).contiguous();
      from_rows({host.data_ptr<float>(), static_cast<std::size_t>(host.numel())}, state, part);
    };
    copy(values_.h, state.h);
    if (state.has_c) copy(values_.c, state.c);
  }

  std::shared_ptr<const DeviceState> cleared(std::int64_t stream) const override {
    return changed([&](const torch::Tensor& all) {
      torch::Tensor copy = all.clone();
      copy.select(1, stream).zero_();
      return copy;
    });
  }

  std::shared_ptr<const DeviceState> zero_where(const Scalar& skip) const override {
    const torch::Tensor zeros = skip.tensor(values_.h).to(torch::kBool);
    return changed([&](const torch::Tensor& all) { return all.masked_fill(zeros, 0); });
  }

 private:
  template <class Change>
  std::shared_ptr<const DeviceState> changed(const Change& change) const {
    return std::make_shared<TorchState>(
        CharRnn::State{change(values_.h), values_.c.defined() ? change(values_.c) : torch::Tensor()});
  }

  CharRnn::State values_;
};

/// [T, B], on the CPU, sharing the memory of `values`.
template <class T>
torch::Tensor tensor_of(const Batch& batch, const std::vector<T>& values, torch::ScalarType type) {
  if (values.empty()) return {};
  return torch::from_blob(const_cast<T*>(values.data()), {batch.steps, batch.streams}, type);
}

/// At the beginning of the sequence of `seed`. A GPU has one generator, from which nothing but dropout draws.
at::Generator generator_at(std::uint64_t seed, torch::Device device) {
  at::Generator generator =
      device.is_cpu() ? at::detail::createCPUGenerator() : at::globalContext().defaultGenerator(device);
  generator.set_current_seed(seed);
  return generator;
}

void copy_to(const torch::Tensor& losses, std::span<float> nats) {
  if (nats.empty()) return;
  const torch::Tensor host = losses.detach().to(torch::kCPU);
  std::copy_n(host.data_ptr<float>(), nats.size(), nats.begin());
}

torch::ScalarType type_of(Precision precision) {
  switch (precision) {
    case Precision::bf16: return torch::kBFloat16;
    case Precision::fp16: return torch::kHalf;
    case Precision::automatic:
    case Precision::fp32:
    case Precision::tf32: break;
  }
  return torch::kFloat;
}
}  // namespace

TorchNetwork::TorchNetwork(const NetworkLayout& layout, const FlatArray& weights, const FlatArray& gradients)
    : gradients_(gradients), module_(std::make_unique<CharRnn>(layout)) {
  module_->to(weights.tensor().device());
  module_->move_into(weights);
}

TorchNetwork::~TorchNetwork() = default;

Scalar TorchNetwork::train(const Batch& batch, State& state, std::span<float> nats, const Network::Step& step,
                           Precision precision) {
  module_->train();
  const auto symbols = static_cast<double>(step.symbols);
  const at::Generator generator = generator_at(step.dropout_seed, gradients_.tensor().device());
  const torch::Tensor losses =
      run(batch, state, module_->draw_dropout(batch.steps, batch.streams, generator), precision);
  const torch::Tensor sum = losses.sum();
  // The gradient of the mean would be too small for fp16.
  const bool later = precision == Precision::fp16;
  std::vector<torch::Tensor> gradients = torch::autograd::grad({later ? sum : sum / symbols}, module_->weights());
  for (torch::Tensor& gradient : gradients) gradient = gradient.flatten();
  torch::Tensor all = gradients_.tensor();
  torch::cat_out(all, gradients);
  if (later) all.div_(symbols);
  copy_to(losses, nats);
  return Scalar(sum.detach().to(torch::kDouble).div_(symbols));
}

void TorchNetwork::score(const Batch& batch, State& state, std::span<float> nats, Precision precision) {
  const torch::NoGradGuard no_grad;
  module_->eval();
  copy_to(run(batch, state, {}, precision), nats);
}

torch::Tensor TorchNetwork::run(const Batch& batch, State& state, const DropoutFactors& factors, Precision precision) {
  const torch::Device device = gradients_.tensor().device();
  allow_tf32(precision == Precision::tf32);
  const auto* kept = dynamic_cast<const TorchState*>(state.device.get());
  const torch::Tensor symbols = to_device(
      torch::stack({tensor_of(batch, batch.input, torch::kInt64), tensor_of(batch, batch.target, torch::kInt64)}),
      device);
  auto [logits, next] =
      module_->forward(symbols[0], kept != nullptr ? kept->values() : TorchState(state, device).values(),
                       tensor_of(batch, batch.starts, torch::kUInt8), factors, type_of(precision));
  state.device = std::make_shared<TorchState>(
      CharRnn::State{next.h.detach(), next.c.defined() ? next.c.detach() : torch::Tensor()});
  const auto options = torch::nn::functional::CrossEntropyFuncOptions().ignore_index(-1).reduction(torch::kNone);
  return torch::nn::functional::cross_entropy(logits.flatten(0, 1), symbols[1].flatten(), options);
}
}  // namespace charnn
