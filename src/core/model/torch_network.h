#pragma once
#include <memory>
#include <span>
#include "core/model/network.h"

namespace charnn {
class CharRnn;
struct DropoutFactors;

/// A network's windows by LibTorch's operators: what runs on a GPU. On a CPU it is slow, and exists only to test that.
class TorchNetwork {
 public:
  /// Writes new weights, see CharRnn, to `weights`, and trains what is in them.
  TorchNetwork(const NetworkLayout& layout, const FlatArray& weights, const FlatArray& gradients);
  ~TorchNetwork();

  /// As Network::train_window() and score_window(). The state stays on the device; `nats` alone, if asked for, are
  /// copied to the host.
  Scalar train(const Batch& batch, State& state, std::span<float> nats, const Network::Step& step, Precision precision);
  void score(const Batch& batch, State& state, std::span<float> nats, Precision precision);

 private:
  /// -log p of the targets [T B], 0 where a target is negative.
  at::Tensor run(const Batch& batch, State& state, const DropoutFactors& factors, Precision precision);

  const FlatArray& gradients_;
  std::unique_ptr<CharRnn> module_;
};
}  // namespace charnn
