#include "core/model/flat_array.h"
#include <cmath>
#include <numeric>
#include <fmt/format.h>
#include <torch/version.h>
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
FlatArray::FlatArray(const FlatArray& other)
    : device_(other.device_), tensor_(std::make_unique<at::Tensor>(other.tensor().clone())) {}
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

void add(float factor, const FlatArray& values, const FlatArray& sum, ThreadPool& pool) {
  if (values.device() != Device::cpu) {
    sum.tensor().add_(values.tensor(), factor);
    return;
  }
  const float* from = values.data();
  float* to = sum.data();
  pool.run_ranges(values.size(), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] += factor * from[i];
  });
}

void blend(float share, const Scalar& skip, const FlatArray& values, const FlatArray& average, ThreadPool& pool) {
  if (values.device() != Device::cpu) {
    average.tensor().lerp_(values.tensor(), skip.tensor(values.tensor()).mul(-share).add(share));
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

Scalar norm_of(const FlatArray& array, std::span<const FlatRange> ranges, ThreadPool& pool) {
  if (array.device() != Device::cpu) {
    torch::Tensor squares;
    for (const FlatRange& range : ranges) {
      const torch::Tensor more = slice(array, range).square().sum(torch::kDouble);
      squares = squares.defined() ? squares + more : more;
    }
    return Scalar(squares.sqrt());
  }
  double squares = 0;
  for (const FlatRange& range : ranges) {
    const float* data = array.data() + range.begin;
    const std::int64_t size = range.end - range.begin;
    std::vector<double> sums(static_cast<std::size_t>((size + grain - 1) / grain));
    pool.run_ranges(size, grain, [&](std::int64_t begin, std::int64_t end) {
      sums[begin / grain] = sum_of_squares(data + begin, end - begin);
    });
    squares += std::accumulate(sums.begin(), sums.end(), 0.0);
  }
  return std::sqrt(squares);
}

void adam_step(const AdamStep& s, FlatRange range, const AdamArrays& arrays, ThreadPool& pool) {
  const auto& [weights, gradients, exp_avg, exp_avg_sq] = arrays;
  pool.run_ranges(range.end - range.begin, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = range.begin + begin;
    adam_step(s, weights.data() + at, gradients.data() + at, exp_avg.data() + at, exp_avg_sq.data() + at, end - begin);
  });
}

void adam_step(const DeviceAdamStep& s, std::span<const FlatRange> ranges, const AdamArrays& arrays) {
  const auto slices = [&](const FlatArray& array) {
    std::vector<torch::Tensor> all;
    for (const FlatRange& range : ranges) all.push_back(slice(array, range));
    return all;
  };
  const torch::Tensor like = arrays.weights.tensor();
  // Gradients are divided by this, as clip_scale() would multiply them.
  torch::Tensor divisor =
      s.clip_norm > 0 ? s.norm.tensor(like).add(1e-6).div(s.clip_norm).clamp_min(1) : Scalar(1).tensor(like);
  std::vector<torch::Tensor> w = slices(arrays.weights), g = slices(arrays.gradients), m = slices(arrays.exp_avg),
                             v = slices(arrays.exp_avg_sq);
  if (s.l2_penalty > 0) {
    for (std::size_t i = 0; i < g.size(); ++i) g[i].div_(divisor).add_(w[i], s.l2_penalty);
    divisor = Scalar(1).tensor(like);
  }
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  const std::vector<torch::Tensor> numbers(g.size(), Scalar(static_cast<double>(s.number)).tensor(like));
  at::_fused_adamw_(w, g, m, v, /*max_exp_avg_sqs=*/{}, numbers, s.lr, s.beta1, s.beta2, s.weight_decay, s.eps,
                    /*amsgrad=*/false, /*maximize=*/false, divisor, s.skip.tensor(like));
#else  // older ones have no CPU kernel of it
  if (s.skip != 0) return;
  const double t = static_cast<double>(s.number), correction2 = std::sqrt(1 - std::pow(s.beta2, t));
  for (std::size_t i = 0; i < g.size(); ++i) {
    g[i].div_(divisor);
    m[i].lerp_(g[i], 1 - s.beta1);
    v[i].mul_(s.beta2).addcmul_(g[i], g[i], 1 - s.beta2);
    w[i].mul_(1 - s.lr * s.weight_decay)
        .addcdiv_(m[i], v[i].sqrt().div_(correction2).add_(s.eps), -s.lr / (1 - std::pow(s.beta1, t)));
  }
#endif
}
}  // namespace charnn
