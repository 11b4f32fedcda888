#include "core/model/network.h"
#include <algorithm>
#include <numeric>
#include <vector>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/model/torch_network.h"
#include "core/model/torch_runtime.h"
#include "fast/fast_network.h"
#include "kernels/thread_pool.h"

namespace charnn {
namespace {
FastWindow window_of(const Batch& batch) {
  return {batch.steps, batch.streams, batch.input.data(), batch.target.data(),
          batch.starts.empty() ? nullptr : batch.starts.data()};
}
}  // namespace

bool is_supported(Precision precision, Device device) {
  if (precision == Precision::automatic) return false;
  return device == Device::cuda || precision == Precision::fp32 ||
         (precision == Precision::bf16 && (device == Device::torch || bf16_unit() != Bf16Unit::none));
}

void require_supported(Precision precision, Device device) {
  if (is_supported(precision, device)) return;
  if (precision == Precision::tf32 || precision == Precision::fp16)
    fail_input(fmt::format("train.precision = \"{}\" on a CPU", name_of(precision, precision_names)),
               "fp32 or bf16; the others are a GPU's", "use --precision fp32");
  fail_input(
      "train.precision = \"bf16\": this CPU has no instructions for bfloat16",
      "AMX or AVX-512 BF16 (Intel since 2020, AMD since 2022)",
      "use --precision fp32; a run that began in bf16 resumes on such a CPU only, elsewhere start a new one from "
      "its weights: --init-from RUN");
}

Network::Network(const NetworkLayout& layout, Device device)
    : layout_(layout),
      device_(device),
      weights_(layout.size(), device),
      gradients_(layout.size(), device),
      pool_(std::make_unique<ThreadPool>(1)) {}

Network::Network(const ModelConfig& config, std::int64_t vocabulary_size, Device device)
    : Network(NetworkLayout(config, vocabulary_size), device) {
  auto torch = std::make_unique<TorchNetwork>(layout_, weights_, gradients_);
  if (device != Device::cpu) torch_ = std::move(torch);  // it was needed for the initial weights only
}

Network::Network(const NetworkLayout& layout, std::span<const float> weights, Device device) : Network(layout, device) {
  if (device != Device::cpu) torch_ = std::make_unique<TorchNetwork>(layout_, weights_, gradients_);
  weights_.assign(weights);
}

Network::~Network() = default;

void Network::configure(Options options) {
  for (Precision* precision : {&options.training, &options.evaluation}) {
    if (*precision == Precision::automatic) *precision = has_fast_bf16(device_) ? Precision::bf16 : Precision::fp32;
    require_supported(*precision, device_);
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

Scalar Network::train_window(const Batch& batch, State& state, std::span<float> nats, std::optional<Step> step) {
  if (!step) step = {std::ssize(batch.input), config().drops_out() ? draw_seed() : 0};
  if (torch_) return torch_->train(batch, state, nats, *step, options_.training);
  std::vector<float> own(nats.empty() ? batch.input.size() : 0);
  if (nats.empty()) nats = own;
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
  if (torch_) return torch_->score(batch, state, nats, options_.evaluation);
  FastNetwork& network = path(options_.evaluation);
  network.forward(weights_.data(), window_of(batch), state);
  network.copy_nats(nats);
}
}  // namespace charnn
