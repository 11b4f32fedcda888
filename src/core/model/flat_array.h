#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>
#include "core/model/scalar.h"

namespace charnn {
struct AdamStep;
class ThreadPool;

/// torch: the GPU's code on the CPU, through LibTorch.
enum class Device { cpu, torch, cuda };
inline constexpr std::array<const char*, 3> device_kind_names{"cpu", "torch", "cuda"};

/// Floats in one block on the device of a network: all its weights, all their gradients, or all moments of one kind. A
/// constant array still lets its floats be written, as a span does.
class FlatArray {
 public:
  FlatArray(std::int64_t size, Device device);  ///< zeros
  explicit FlatArray(const FlatArray& other);
  FlatArray(FlatArray&&) noexcept;
  FlatArray& operator=(FlatArray&&) noexcept;
  ~FlatArray();

  std::int64_t size() const;
  Device device() const noexcept { return device_; }
  float* data() const;  ///< not on a GPU
  std::vector<float> to_host() const;
  /// Throws Error (usage) if there are not size() values.
  void assign(std::span<const float> values) const;
  void assign(const FlatArray& other) const;  ///< of the same size and device
  const at::Tensor& tensor() const { return *tensor_; }

 private:
  Device device_;
  std::unique_ptr<at::Tensor> tensor_;
};

/// Elements [begin, end) of flat arrays.
struct FlatRange {
  std::int64_t begin, end;
};

/// sum += factor values.
void add(float factor, const FlatArray& values, const FlatArray& sum, ThreadPool& pool);

/// average += share (values - average); on a GPU not if `skip` is 1.
void blend(float share, const Scalar& skip, const FlatArray& values, const FlatArray& average, ThreadPool& pool);

/// weights += decays (trained - weights) - share rates gradients; see train/dynamic.h.
struct DynamicStep {
  float share;
  const FlatArray &trained, &rates, &decays;
};
void dynamic_step(const DynamicStep& step, const FlatArray& gradients, const FlatArray& weights, ThreadPool& pool);

/// Of all ranges together. On a CPU the result does not depend on the number of threads.
Scalar norm_of(const FlatArray& array, std::span<const FlatRange> ranges, ThreadPool& pool);

struct AdamArrays {
  const FlatArray &weights, &gradients, &exp_avg, &exp_avg_sq;
};
void adam_step(const AdamStep& step, FlatRange range, const AdamArrays& arrays, ThreadPool& pool);  ///< on a CPU
/// On a GPU all ranges are one launch, which does nothing if `skip` is 1. May change the gradients.
struct DeviceAdamStep {
  std::int64_t number;  ///< of the step, from 1
  double lr, beta1, beta2, eps, l2_penalty, weight_decay;
  double clip_norm;  ///< gradients of this `norm` are clipped to it; 0: not at all
  Scalar norm, skip;
};
void adam_step(const DeviceAdamStep& step, std::span<const FlatRange> ranges, const AdamArrays& arrays);
}  // namespace charnn
