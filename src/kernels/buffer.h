#pragma once
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace charnn {
/// Memory on multiples of 64 bytes, as the kernels want it.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor): as the standard asks
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* memory, std::size_t) noexcept { ::operator delete (memory, std::align_val_t{64}); }
  bool operator==(const AlignedAllocator&) const noexcept { return true; }
};
using AlignedFloats = std::vector<float, AlignedAllocator<float>>;

/// Working memory: floats, or pairs of bfloat16, which are as large. It only grows, so that a training loop stops
/// allocating after its first step.
class Buffer {
 public:
  /// Makes room for n elements. If n is more than ever before, all are zero and the earlier contents are lost.
  void reserve(std::int64_t n) {
    if (n <= size()) return;
    memory_ = {};
    memory_.resize(static_cast<std::size_t>(n));
  }
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(memory_.size()); }
  float* floats() noexcept { return memory_.data(); }
  const float* floats() const noexcept { return memory_.data(); }
  std::uint32_t* pairs() noexcept { return static_cast<std::uint32_t*>(static_cast<void*>(memory_.data())); }
  const std::uint32_t* pairs() const noexcept {
    return static_cast<const std::uint32_t*>(static_cast<const void*>(memory_.data()));
  }

 private:
  AlignedFloats memory_;
};
}  // namespace charnn
