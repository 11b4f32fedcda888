#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include "core/model/network_layout.h"
#include "core/model/state.h"
#include "kernels/gemm.h"

namespace charnn {
class ThreadPool;

/// One window of text, T steps of B streams; arrays are [T, B].
struct FastWindow {
  std::int64_t steps = 0;    ///< T
  std::int64_t streams = 0;  ///< B
  const std::int64_t* ids = nullptr;
  const std::int64_t* targets = nullptr;  ///< negative: does not count
  const std::uint8_t* starts = nullptr;   ///< 1: a document starts, from a zero state. null: nowhere
  bool training = false;                  ///< keep what backward() needs, and drop out
  std::uint64_t dropout_seed = 0;         ///< of all masks of this window
  float gradient_scale = 0;               ///< training: the loss is this times the sum of all nats
};

/// The whole network, forwards and backwards, over windows of text, on the CPU, without LibTorch: the fast twin of
/// CharRnn, with the same results but for rounding.
///
/// Threads share out the streams, or at each step the units where that is faster; then the rows of the weights'
/// gradients.
/// Every sum is made by one thread in a fixed order: results do not depend on the number of threads.
class FastNetwork {
 public:
  FastNetwork(const NetworkLayout& layout, Format format, ThreadPool& pool);
  ~FastNetwork();

  /// Reads the state before the window from `state` and leaves the state after it there. `weights` are packed again
  /// only after weights_changed(), or for another dropout of weights.
  void forward(const float* weights, const FastWindow& window, State& state);
  void weights_changed() noexcept;
  /// Backward through the last forward(), which was for training. `gradients` has the layout of the weights and is
  /// overwritten. No gradient flows into the state before the window.
  void backward(float* gradients);
  /// -log p of the window's targets, [T, B].
  void copy_nats(std::span<float> out) const;

 private:
  void pack(const float* weights, const FastWindow& window);

  struct Parts;
  std::unique_ptr<Parts> parts_;
};
}  // namespace charnn
