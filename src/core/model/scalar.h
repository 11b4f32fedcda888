#pragma once
#include <memory>
#include <span>
#include <vector>

namespace at {
class Tensor;
}

namespace charnn {
/// A number that a GPU may still be computing.
class Scalar {
 public:
  Scalar(double value) : value_(value) {}     // NOLINT(google-explicit-constructor)
  explicit Scalar(const at::Tensor& tensor);  ///< float64 []
  operator double() const;                    // NOLINT(google-explicit-constructor): waits for the GPU
  bool known() const noexcept { return !tensor_; }
  at::Tensor tensor(const at::Tensor& like) const;  ///< of that type, on that device

  friend Scalar sum(const Scalar& a, const Scalar& b);
  /// 1 if one of them is not finite, else 0.
  friend Scalar not_finite(const Scalar& a, const Scalar& b);
  /// Waits once.
  friend std::vector<double> read_all(std::span<const Scalar> scalars);

 private:
  double value_ = 0;
  std::shared_ptr<const at::Tensor> tensor_;
};
}  // namespace charnn
