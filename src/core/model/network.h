#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include "core/data/batcher.h"
#include "core/model/flat_array.h"
#include "core/model/network_layout.h"
#include "core/model/state.h"
#include "kernels/gemm.h"

namespace charnn {
class FastNetwork;
class ThreadPool;
class TorchNetwork;

/// A character-level recurrent network: its weights, and how it is trained and evaluated. On a CPU src/fast does the
/// work, without LibTorch; on a GPU LibTorch does (torch_network.h).
class Network {
 public:
  /// New weights, see CharRnn.
  Network(const ModelConfig& config, std::int64_t vocabulary_size, Device device = Device::cpu);
  /// Trained weights.
  Network(const NetworkLayout& layout, std::span<const float> weights, Device device = Device::cpu);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  struct Options {
    Precision training = Precision::fp32;    ///< number format of the products in train_window()
    Precision evaluation = Precision::fp32;  ///< and in score_window()
    int threads = 1;                         ///< of a CPU
  };
  /// Until this is called: fp32, one thread. Chooses what is automatic. Throws as require_supported().
  void configure(Options options);
  Precision training_precision() const noexcept { return options_.training; }  ///< never automatic

  /// The step that a window of training belongs to, where others train on more streams of it.
  struct Step {
    std::int64_t symbols;        ///< of all streams: the loss is the mean over them
    std::uint64_t dropout_seed;  ///< of this window's masks
  };
  /// One window of training, with dropout: returns the mean loss in nats per symbol, or this window's share in it,
  /// fills gradients(), and moves `state` on; no gradient flows into it. Also writes to `nats`, unless empty, as
  /// score_window() does. Without a `step`, draws the seed. A GPU may still be at work afterwards.
  Scalar train_window(const Batch& batch, State& state, std::span<float> nats = {}, std::optional<Step> step = {});
  /// Writes -log p of each target to `nats` [T, B] (0 where a target is negative) and moves `state` on. No dropout.
  void score_window(const Batch& batch, State& state, std::span<float> nats);

  const NetworkLayout& layout() const noexcept { return layout_; }
  const ModelConfig& config() const noexcept { return layout_.config(); }
  std::int64_t vocabulary_size() const noexcept { return layout_.vocabulary_size(); }
  Device device() const noexcept { return device_; }
  State zero_state(std::int64_t streams) const { return State::zeros(config(), streams); }
  ThreadPool& pool() const noexcept { return *pool_; }

  const FlatArray& weights() const noexcept { return weights_; }
  const FlatArray& gradients() const noexcept { return gradients_; }
  /// For writing: packed copies of the weights are made anew before the next window.
  const FlatArray& change_weights();

 private:
  /// The CPU path for products in `precision`, with the present weights.
  FastNetwork& path(Precision precision);

  Network(const NetworkLayout& layout, Device device);

  NetworkLayout layout_;
  Device device_;
  FlatArray weights_, gradients_;
  std::unique_ptr<TorchNetwork> torch_;  ///< on a CPU none
  Options options_;
  std::unique_ptr<ThreadPool> pool_;
  std::map<Format, std::unique_ptr<FastNetwork>> paths_;
};

/// Whether the device can multiply in that precision, which is not automatic.
bool is_supported(Precision precision, Device device);
/// Throws Error (usage) if it cannot.
void require_supported(Precision precision, Device device);
}  // namespace charnn
