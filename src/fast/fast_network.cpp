#include "fast/fast_network.h"
#include "fast/masks.h"
#include "fast/workspace.h"
#include "kernels/thread_pool.h"

namespace charnn {
struct FastNetwork::Parts {
  PaddedShape shape;
  ThreadPool& pool;
  PackedNetwork packed = {};
  bool packed_forward = false, packed_backward = false;  ///< from the present weights, all of them
  Workspace work = {};
};

FastNetwork::FastNetwork(const NetworkLayout& layout, Format format, ThreadPool& pool)
    : parts_(new Parts{PaddedShape(layout, format, format), pool}) {}

FastNetwork::~FastNetwork() = default;

void FastNetwork::weights_changed() noexcept { parts_->packed_forward = parts_->packed_backward = false; }

void FastNetwork::pack(const float* weights, const FastWindow& window) {
  Parts& p = *parts_;
  const Masks masks(p.shape.layout.config(), window);
  const bool drops = masks.rate_of_weights() > 0;
  if (!drops && (window.training ? p.packed_backward : p.packed_forward)) return;
  p.packed.pack(p.shape, weights, /*backward=*/window.training, p.pool, drops ? &masks : nullptr);
  p.packed_forward = !drops;
  p.packed_backward = !drops && window.training;
}

void FastNetwork::forward(const float* weights, const FastWindow& window, State& state) {
  Parts& p = *parts_;
  pack(weights, window);
  p.work.window = window;
  prepare(p.shape, p.work, p.pool);
  fill_table(p.shape, p.packed, p.work, p.pool);
  load_state(p.shape, state, p.work);
  p.pool.run(static_cast<std::int64_t>(p.work.shares.size()),
             [&](std::int64_t i) { forward_pass(p.shape, p.packed, p.work, p.work.shares[i]); });
  store_state(p.shape, p.work, state);
}

void FastNetwork::backward(float* gradients) {
  Parts& p = *parts_;
  p.pool.run(static_cast<std::int64_t>(p.work.shares.size()),
             [&](std::int64_t i) { backward_pass(p.shape, p.packed, p.work, p.work.shares[i]); });
  weight_gradients(p.shape, p.packed, p.work, gradients, p.pool);
}

void FastNetwork::copy_nats(std::span<float> out) const {
  const Workspace& work = parts_->work;
  for (const StreamShare& share : work.shares)
    for (std::int64_t t = 0; t < share.steps; ++t)
      std::copy_n(share.nats.floats() + t * share.count, share.count,
                  out.begin() + t * work.window.streams + share.begin);
}
}  // namespace charnn
