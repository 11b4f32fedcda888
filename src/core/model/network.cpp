#include "core/model/network.h"
#include <algorithm>
#include <numeric>
#include <vector>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/model/char_rnn.h"
#include "core/model/torch_runtime.h"
#include "fast/fast_network.h"
#include "kernels/thread_pool.h"

namespace charnn {
namespace {
FastWindow window_of(const Batch& batch) {
  return {batch.steps, batch.streams, batch.input.data(), batch.target.data(),
          batch.starts.empty() ? nullptr : batch.starts.data()};
}

/// [T, B] int64, or uint8, on the CPU, sharing the memory of `values`.
template <class T>
torch::Tensor tensor_of(const Batch& batch, const std::vector<T>& values, torch::ScalarType type) {
  if (values.empty()) return {};
  return torch::from_blob(const_cast<T*>(values.data()), {batch.steps, batch.streams}, type);
}

/// Recurrent state between charnn's layout and PyTorch's.
CharRnn::State to_torch(const State& state, torch::Device device) {
  const auto tensor = [&](const AlignedFloats& part) {
    std::vector<float> rows = to_rows(state, part);
    return torch::from_blob(rows.data(), {state.layers, state.streams, state.hidden}).clone().to(device);
  };
  return {tensor(state.h), state.has_c ? tensor(state.c) : torch::Tensor()};
}

void from_torch(const CharRnn::State& from, State& state) {
  const auto copy = [&](const torch::Tensor& tensor, AlignedFloats& part) {
    const torch::Tensor host = tensor.detach().to(torch::kCPU, torch::kFloat).contiguous();
    from_rows({host.data_ptr<float>(), static_cast<std::size_t>(host.numel())}, state, part);
  };
  copy(from.h, state.h);
  if (state.has_c) copy(from.c, state.c);
}

void copy_to(const torch::Tensor& losses, std::span<float> nats) {
  const torch::Tensor host = losses.detach().to(torch::kCPU);
  std::copy_n(host.data_ptr<float>(), nats.size(), nats.begin());
}
}  // namespace

void require_supported(Precision precision) {
  if (precision == Precision::tf32 || precision == Precision::fp16)
    fail_input(fmt::format("train.precision = \"{}\" on a CPU", name_of(precision, precision_names)),
               "fp32 or bf16; the others are a GPU's", "use --precision fp32");
  if (precision == Precision::bf16 && bf16_unit() == Bf16Unit::none)
    fail_input("train.precision = \"bf16\": this CPU has no instructions for bfloat16",
               "AMX or AVX-512 BF16 (Intel since 2020, AMD since 2022)",
               "use --precision fp32; a run that began with bf16 can go on only on such a CPU");
}

Network::Network(const NetworkLayout& layout, Device device)
    : layout_(layout),
      device_(device),
      weights_(layout.size(), device),
      gradients_(layout.size(), device),
      pool_(std::make_unique<ThreadPool>(1)) {}

Network::Network(const ModelConfig& config, std::int64_t vocabulary_size, Device device)
    : Network(NetworkLayout(config, vocabulary_size), device) {
  make_module();
}

Network::Network(const NetworkLayout& layout, std::span<const float> weights, Device device) : Network(layout, device) {
  if (device != Device::cpu) make_module();
  weights_.assign(weights);
}

void Network::make_module() {
  module_ = std::make_unique<CharRnn>(layout_);
  if (device_ == Device::cuda) module_->to(torch::kCUDA);
  module_->move_into(weights_, gradients_);
  if (device_ == Device::cpu) module_.reset();  // it was needed for the initial weights only
}

Network::~Network() = default;

void Network::configure(const Options& options) {
  if (device_ == Device::cpu) {
    require_supported(options.training);
    require_supported(options.evaluation);
  }
  paths_.clear();  // they use the pool
  options_ = options;
  pool_ = std::make_unique<ThreadPool>(options.threads);
}

const FlatArray& Network::change_weights() {
  for (const auto& [format, path] : paths_) path->weights_changed();
  return weights_;
}

FastNetwork& Network::path(Precision precision) {
  const Format format = precision == Precision::bf16 ? Format::bf16 : exact_format();
  std::unique_ptr<FastNetwork>& path = paths_[format];
  if (!path) path = std::make_unique<FastNetwork>(layout_, format, *pool_);
  return *path;
}

double Network::train_window(const Batch& batch, State& state, std::span<float> nats, std::optional<Step> step) {
  if (!step) step = {std::ssize(batch.input), config().drops_out() && device_ == Device::cpu ? draw_seed() : 0};
  std::vector<float> own(nats.empty() ? batch.input.size() : 0);
  if (nats.empty()) nats = own;
  if (device_ != Device::cpu) return train_by_torch(batch, state, nats, *step);
  FastWindow window = window_of(batch);
  window.training = true;
  window.gradient_scale = 1.0F / static_cast<float>(step->symbols);
  window.dropout_seed = step->dropout_seed;
  FastNetwork& network = path(options_.training);
  network.forward(weights_.data(), window, state);
  network.copy_nats(nats);
  network.backward(gradients_.data());
  return std::accumulate(nats.begin(), nats.end(), 0.0) / static_cast<double>(step->symbols);
}

void Network::score_window(const Batch& batch, State& state, std::span<float> nats) {
  if (device_ != Device::cpu) return score_by_torch(batch, state, nats);
  FastNetwork& network = path(options_.evaluation);
  network.forward(weights_.data(), window_of(batch), state);
  network.copy_nats(nats);
}

double Network::train_by_torch(const Batch& batch, State& state, std::span<float> nats, const Step& step) {
  gradients_.tensor().zero_();
  module_->train();
  const auto symbols = static_cast<double>(step.symbols);
  if (step.dropout_seed != 0) seed_generator(device_, step.dropout_seed);
  const torch::Tensor losses = run_module(
      batch, state, module_->draw_dropout(batch.steps, batch.streams, weights_.tensor().device()), options_.training);
  const torch::Tensor sum = losses.sum();
  // The gradient of the mean would be too small for fp16.
  const bool later = options_.training == Precision::fp16;
  (later ? sum : sum / symbols).backward();
  if (later) gradients_.tensor().div_(symbols);
  copy_to(losses, nats);
  return sum.item<double>() / symbols;
}

void Network::score_by_torch(const Batch& batch, State& state, std::span<float> nats) {
  const torch::NoGradGuard no_grad;
  module_->eval();
  copy_to(run_module(batch, state, {}, options_.evaluation), nats);
}

torch::Tensor Network::run_module(const Batch& batch, State& state, const DropoutFactors& factors,
                                  Precision precision) {
  const torch::Device device = weights_.tensor().device();
  allow_tf32(precision == Precision::tf32);
  const torch::ScalarType type = precision == Precision::bf16   ? torch::kBFloat16
                                 : precision == Precision::fp16 ? torch::kHalf
                                                                : torch::kFloat;
  auto [logits, next] =
      module_->forward(tensor_of(batch, batch.input, torch::kInt64).to(device), to_torch(state, device),
                       tensor_of(batch, batch.starts, torch::kUInt8), factors, type);
  const torch::Tensor targets = tensor_of(batch, batch.target, torch::kInt64).to(device).reshape({-1});
  from_torch(next, state);
  const auto options = torch::nn::functional::CrossEntropyFuncOptions().ignore_index(-1).reduction(torch::kNone);
  return torch::nn::functional::cross_entropy(logits.reshape({-1, layout_.vocabulary_size()}), targets, options);
}
}  // namespace charnn
