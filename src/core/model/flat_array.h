#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace at {
class Tensor;
}

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

/// sum += values.
void add(const FlatArray& values, const FlatArray& sum, ThreadPool& pool);

/// average += share (values - average).
void blend(float share, const FlatArray& values, const FlatArray& average, ThreadPool& pool);

/// weights += decays (trained - weights) - share rates gradients; see train/dynamic.h.
struct DynamicStep {
  float share;
  const FlatArray &trained, &rates, &decays;
};
void dynamic_step(const DynamicStep& step, const FlatArray& gradients, const FlatArray& weights, ThreadPool& pool);

/// On a CPU the result does not depend on the number of threads.
double sum_of_squares(const FlatArray& array, FlatRange range, ThreadPool& pool);
void adam_step(const AdamStep& step, FlatRange range, const FlatArray& weights, const FlatArray& gradients,
               const FlatArray& exp_avg, const FlatArray& exp_avg_sq, ThreadPool& pool);
}  // namespace charnn
