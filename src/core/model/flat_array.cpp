#include "core/model/flat_array.h"
#include <algorithm>
#include <numeric>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/model/torch.h"
#include "kernels/elementwise.h"
#include "kernels/thread_pool.h"

namespace charnn {
namespace {
constexpr std::int64_t grain = 1 << 14;  ///< floats that a thread takes at a time

torch::Tensor slice(const FlatArray& array, FlatRange range) { return array.tensor().slice(0, range.begin, range.end); }
}  // namespace

FlatArray::FlatArray(std::int64_t size, Device device)
    : device_(device),
      tensor_(std::make_unique<at::Tensor>(
          torch::zeros({size}, torch::Device(device == Device::cuda ? torch::kCUDA : torch::kCPU)))) {}
FlatArray::FlatArray(FlatArray&&) noexcept = default;
FlatArray& FlatArray::operator=(FlatArray&&) noexcept = default;
FlatArray::~FlatArray() = default;

std::int64_t FlatArray::size() const { return tensor_->numel(); }

float* FlatArray::data() const { return tensor_->data_ptr<float>(); }

std::vector<float> FlatArray::to_host() const {
  const torch::Tensor host = tensor_->to(torch::kCPU);
  return {host.data_ptr<float>(), host.data_ptr<float>() + host.numel()};
}

void FlatArray::assign(std::span<const float> values) const {
  if (static_cast<std::int64_t>(values.size()) != size())
    fail_input(fmt::format("{} values for the {} weights of this network", values.size(), size()), "as many",
               "use a checkpoint of a network of this shape");
  tensor_->copy_(torch::from_blob(const_cast<float*>(values.data()), {static_cast<std::int64_t>(values.size())}));
}

void FlatArray::assign(const FlatArray& other) const { tensor_->copy_(other.tensor()); }

void add(const FlatArray& values, const FlatArray& sum, ThreadPool& pool) {
  if (values.device() != Device::cpu) {
    sum.tensor().add_(values.tensor());
    return;
  }
  const float* from = values.data();
  float* to = sum.data();
  pool.run_ranges(values.size(), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
  });
}

void blend(float share, const FlatArray& values, const FlatArray& average, ThreadPool& pool) {
  if (values.device() != Device::cpu) {
    average.tensor().lerp_(values.tensor(), share);
    return;
  }
  const float* from = values.data();
  float* to = average.data();
  pool.run_ranges(values.size(), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] += share * (from[i] - to[i]);
  });
}

void dynamic_step(const DynamicStep& step, const FlatArray& gradients, const FlatArray& weights, ThreadPool& pool) {
  const auto& [share, trained, rates, decays] = step;
  if (weights.device() != Device::cpu) {
    const torch::Tensor w = weights.tensor(), back = trained.tensor().sub(w).mul_(decays.tensor());
    w.add_(back).sub_(gradients.tensor().mul(rates.tensor()), share);
    return;
  }
  const float *from = trained.data(), *g = gradients.data(), *rate = rates.data(), *decay = decays.data();
  float* w = weights.data();
  pool.run_ranges(weights.size(), grain, [=, share = share](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) w[i] += decay[i] * (from[i] - w[i]) - share * rate[i] * g[i];
  });
}

double sum_of_squares(const FlatArray& array, FlatRange range, ThreadPool& pool) {
  if (array.device() != Device::cpu) return slice(array, range).square().sum(torch::kDouble).item<double>();
  const float* data = array.data() + range.begin;
  const std::int64_t size = range.end - range.begin;
  std::vector<double> sums(static_cast<std::size_t>((size + grain - 1) / grain));
  pool.run_ranges(size, grain, [&](std::int64_t begin, std::int64_t end) {
    sums[begin / grain] = sum_of_squares(data + begin, end - begin);
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

void adam_step(const AdamStep& s, FlatRange range, const FlatArray& weights, const FlatArray& gradients,
               const FlatArray& exp_avg, const FlatArray& exp_avg_sq, ThreadPool& pool) {
  if (weights.device() != Device::cpu) {
    torch::Tensor w = slice(weights, range), m = slice(exp_avg, range), v = slice(exp_avg_sq, range);
    const torch::Tensor g = slice(gradients, range).mul(s.scale).add(w, s.l2_penalty);
    m.lerp_(g, s.beta1_rest);
    v.mul_(s.beta2).addcmul_(g, g, s.beta2_rest);
    w.mul_(s.keep).addcdiv_(m, v.sqrt().div_(s.correction2).add_(s.eps), -s.lr_over_correction1);
    return;
  }
  pool.run_ranges(range.end - range.begin, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = range.begin + begin;
    adam_step(s, weights.data() + at, gradients.data() + at, exp_avg.data() + at, exp_avg_sq.data() + at, end - begin);
  });
}
}  // namespace charnn
