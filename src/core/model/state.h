#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>
#include "core/model/model_config.h"
#include "kernels/buffer.h"

namespace charnn {
class Scalar;
struct State;
/// A state in the memory of a GPU.
class DeviceState {
 public:
  virtual ~DeviceState() = default;
  virtual void copy_to(State& state) const = 0;
  virtual std::shared_ptr<const DeviceState> cleared(std::int64_t stream) const = 0;    ///< that stream is zeros
  virtual std::shared_ptr<const DeviceState> zero_where(const Scalar& skip) const = 0;  ///< all zeros if `skip` is 1
};

/// Recurrent state of some streams; one type for all cells. Stored as the kernels read it:
/// [layers][blocks][streams][16], each block 16 hidden units, zeros where `hidden` does not fill the last ones.
struct State {
  std::int64_t layers = 0, streams = 0, hidden = 0;
  bool has_c = false;  ///< lstm only
  AlignedFloats h, c;
  std::shared_ptr<const DeviceState> device = {};  ///< if there is one, h and c are out of date

  State on_host() const;  ///< with h and c up to date
  static State zeros(const ModelConfig& config, std::int64_t streams);
  std::int64_t blocks() const noexcept { return (hidden + 31) / 32 * 2; }  ///< an even number: bf16 takes two at a time
  void clear(std::int64_t stream);                                         ///< sets one stream to zeros
  /// A state whose stream i is this one's stream from[i], or zeros where from[i] is -1.
  State gather(std::span<const std::int64_t> from) const;
  State columns(std::int64_t first, std::int64_t count) const;  ///< some of the streams, in a row
  void put(std::int64_t first, const State& part);              ///< the inverse of columns()
};

/// h or c in PyTorch's order, [layers, streams, hidden], and back.
std::vector<float> to_rows(const State& state, const AlignedFloats& part);
void from_rows(std::span<const float> rows, const State& state, AlignedFloats& part);
}  // namespace charnn
