#include "core/model/scalar.h"
#include <cmath>
#include "core/model/torch.h"

namespace charnn {
Scalar::Scalar(const at::Tensor& tensor) : tensor_(std::make_shared<at::Tensor>(tensor)) {}

Scalar::operator double() const { return known() ? value_ : tensor_->item<double>(); }

at::Tensor Scalar::tensor(const at::Tensor& like) const {
  return known() ? torch::full({}, value_, like.options()) : tensor_->to(like.options());
}

Scalar sum(const Scalar& a, const Scalar& b) {
  if (a.known() && b.known()) return static_cast<double>(a) + static_cast<double>(b);
  const at::Tensor& like = a.known() ? *b.tensor_ : *a.tensor_;
  return Scalar(a.tensor(like) + b.tensor(like));
}

Scalar not_finite(const Scalar& a, const Scalar& b) {
  const Scalar both = sum(a, b);
  if (both.known()) return std::isfinite(static_cast<double>(both)) ? 0 : 1;
  return Scalar(both.tensor_->mul(0).nan_to_num(1));  // infinity times 0 is NaN
}

std::vector<double> read_all(std::span<const Scalar> scalars) {
  std::vector<torch::Tensor> unknown;
  for (const Scalar& scalar : scalars)
    if (!scalar.known()) unknown.push_back(*scalar.tensor_);
  const torch::Tensor read = unknown.empty() ? torch::Tensor() : torch::stack(unknown).to(torch::kCPU);
  std::vector<double> values;
  std::int64_t next = 0;
  for (const Scalar& scalar : scalars)
    values.push_back(scalar.known() ? scalar.value_ : read.data_ptr<double>()[next++]);
  return values;
}
}  // namespace charnn
