#include "kernels/elementwise.h"
#include <cmath>
#include "kernels/gemm.h"
#include "kernels/highway.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cpp"
// clang-format off
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace charnn {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, block_width>;
using Vec = hn::Vec<Tag>;
constexpr Tag d;
constexpr std::int64_t lanes = static_cast<std::int64_t>(hn::MaxLanes(Tag()));

/// Calls each(j, pointer step) for the vectors of one row.
template <class Each>
HWY_INLINE void for_row(const CrossEntropy& e, float* row, Each each) {
  for (std::int64_t p = 0; p < e.panels; ++p)
    for (std::int64_t j = 0; j < block_width; j += lanes) each(row + p * e.panel + j);
}

void CrossEntropyRows(const CrossEntropy& e) {
  for (std::int64_t r = 0; r < e.rows; ++r) {
    float* row = e.logits + r * block_width;
    const std::int64_t target = e.targets[r];
    e.nats[r] = 0;
    if (target < 0) {
      if (e.gradient_scale != 0) for_row(e, row, [](float* at) { hn::Store(hn::Zero(d), d, at); });
      continue;
    }
    Vec largest = hn::Set(d, -1e30F);
    for_row(e, row, [&](float* at) { largest = hn::Max(largest, hn::Load(d, at)); });
    const float max = hn::GetLane(hn::MaxOfLanes(d, largest));
    const Vec shift = hn::Set(d, max);
    float* target_at = row + target / block_width * e.panel + target % block_width;
    const float target_logit = *target_at;
    Vec sums = hn::Zero(d);
    for_row(e, row, [&](float* at) {
      const Vec x = hn::Sub(hn::Load(d, at), shift);
      // Highway's exp makes 0 of NaN: adding 0 x lets it through.
      const Vec power = hn::MulAdd(hn::Zero(d), x, hn::Exp(d, x));
      if (e.gradient_scale != 0) hn::Store(power, d, at);
      sums = hn::Add(sums, power);
    });
    const float sum = hn::GetLane(hn::SumOfLanes(d, sums));
    // A row with NaN in it has NaN in the sum; an infinite logit gives NaN too.
    e.nats[r] = std::log(sum) + (max - target_logit);
    if (e.gradient_scale == 0) continue;
    const Vec factor = hn::Set(d, e.gradient_scale / sum);
    for_row(e, row, [&](float* at) { hn::Store(hn::Mul(hn::Load(d, at), factor), d, at); });
    *target_at -= e.gradient_scale;
  }
}

void ExpOf(const float* HWY_RESTRICT x, float shift, float scale, float* HWY_RESTRICT out, std::int64_t n) {
  const auto store = [&](const auto tag, std::int64_t j) {
    const auto exponent = hn::Mul(hn::Sub(hn::LoadU(tag, x + j), hn::Set(tag, shift)), hn::Set(tag, scale));
    hn::StoreU(hn::Exp(tag, exponent), tag, out + j);
  };
  std::int64_t j = 0;
  for (; j + lanes <= n; j += lanes) store(d, j);
  for (; j < n; ++j) store(hn::CappedTag<float, 1>(), j);
}

void AdamVectors(const AdamStep& s, float* HWY_RESTRICT weight, const float* HWY_RESTRICT gradient,
                 float* HWY_RESTRICT exp_avg, float* HWY_RESTRICT exp_avg_sq, std::int64_t n) {
  const auto update = [&](const auto tag, std::int64_t j) {
    const auto w = hn::LoadU(tag, weight + j), m = hn::LoadU(tag, exp_avg + j), v = hn::LoadU(tag, exp_avg_sq + j);
    const auto g =
        hn::MulAdd(hn::Set(tag, s.scale), hn::LoadU(tag, gradient + j), hn::Mul(hn::Set(tag, s.l2_penalty), w));
    const auto m_next = hn::MulAdd(hn::Set(tag, s.beta1_rest), hn::Sub(g, m), m);
    const auto v_next = hn::MulAdd(hn::Mul(hn::Set(tag, s.beta2_rest), g), g, hn::Mul(hn::Set(tag, s.beta2), v));
    const auto root = hn::Add(hn::Div(hn::Sqrt(v_next), hn::Set(tag, s.correction2)), hn::Set(tag, s.eps));
    const auto kept = hn::Mul(hn::Set(tag, s.keep), w);
    hn::StoreU(hn::NegMulAdd(hn::Set(tag, s.lr_over_correction1), hn::Div(m_next, root), kept), tag, weight + j);
    hn::StoreU(m_next, tag, exp_avg + j);
    hn::StoreU(v_next, tag, exp_avg_sq + j);
  };
  std::int64_t j = 0;
  for (; j + lanes <= n; j += lanes) update(d, j);
  for (; j < n; ++j) update(hn::CappedTag<float, 1>(), j);
}

double SumOfSquares(const float* HWY_RESTRICT x, std::int64_t n) {
  double total = 0;
  std::int64_t j = 0;
  // Not too many floats in one sum, whatever n is.
  while (j + lanes <= n) {
    Vec sum = hn::Zero(d);
    for (std::int64_t k = 0; k < 256 && j + lanes <= n; ++k, j += lanes) {
      const Vec v = hn::LoadU(d, x + j);
      sum = hn::MulAdd(v, v, sum);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  for (; j < n; ++j) total += static_cast<double>(x[j]) * static_cast<double>(x[j]);
  return total;
}

/// lowbias32 (C. Wellons 2018, "Prospecting for hash functions"): every bit of x changes every bit of the result.
template <class D>
HWY_INLINE hn::Vec<D> hash(D u, hn::Vec<D> x) {
  x = hn::Mul(hn::Xor(x, hn::ShiftRight<16>(x)), hn::Set(u, 0x7feb352dU));
  x = hn::Mul(hn::Xor(x, hn::ShiftRight<15>(x)), hn::Set(u, 0x846ca68bU));
  return hn::Xor(x, hn::ShiftRight<16>(x));
}

void Dropout(const float* in, float* out, std::int64_t n, double p, std::uint64_t seed, std::uint32_t first) {
  const auto drop = [&](const auto tag, std::int64_t j) {
    const hn::RebindToUnsigned<decltype(tag)> tu;
    const hn::RebindToSigned<decltype(tag)> ts;
    const auto key1 = hn::Set(tu, static_cast<std::uint32_t>(seed));
    const auto key2 = hn::Set(tu, static_cast<std::uint32_t>(seed >> 32));
    // 31 bits, compared as signed numbers: Highway compares unsigned ones more slowly.
    const auto index = hn::Iota(tu, first + static_cast<std::uint32_t>(j));
    const auto random = hn::ShiftRight<1>(hash(tu, hn::Add(hash(tu, hn::Add(index, key1)), key2)));
    const auto keep = hn::Gt(hn::BitCast(ts, random), hn::Set(ts, static_cast<std::int32_t>(p * 0x1p31) - 1));
    const auto scale = hn::Set(tag, static_cast<float>(1 / (1 - p)));
    const auto kept = hn::Mul(hn::LoadU(tag, in + j), scale);
    hn::StoreU(hn::IfThenElseZero(hn::RebindMask(tag, keep), kept), tag, out + j);
  };
  std::int64_t j = 0;
  for (; j + lanes <= n; j += lanes) drop(d, j);
  for (; j < n; ++j) drop(hn::CappedTag<float, 1>(), j);
}

void FillRows(const float* HWY_RESTRICT row, float* HWY_RESTRICT out, std::int64_t rows) {
  for (std::int64_t j = 0; j < block_width; j += lanes) {
    const Vec value = hn::Load(d, row + j);
    for (std::int64_t r = 0; r < rows; ++r) hn::Store(value, d, out + r * block_width + j);
  }
}

void GatherRows(const float* HWY_RESTRICT table, const std::int32_t* HWY_RESTRICT index, float* HWY_RESTRICT out,
                std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < block_width; j += lanes)
      hn::Store(hn::Load(d, table + index[r] * block_width + j), d, out + r * block_width + j);
}

void ScatterRows(const float* HWY_RESTRICT x, const std::int32_t* HWY_RESTRICT index, float* HWY_RESTRICT table,
                 std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < block_width; j += lanes) {
      float* sum = table + index[r] * block_width + j;
      hn::Store(hn::Add(hn::Load(d, sum), hn::Load(d, x + r * block_width + j)), d, sum);
    }
}

const char* InstructionSet() { return hwy::TargetName(HWY_TARGET); }

void SumRows(const float* HWY_RESTRICT x, float* HWY_RESTRICT out, std::int64_t rows) {
  for (std::int64_t j = 0; j < block_width; j += lanes) {
    Vec sum = hn::Load(d, out + j);
    for (std::int64_t r = 0; r < rows; ++r) sum = hn::Add(sum, hn::Load(d, x + r * block_width + j));
    hn::Store(sum, d, out + j);
  }
}
}  // namespace HWY_NAMESPACE
}  // namespace charnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charnn {
HWY_EXPORT(CrossEntropyRows);
HWY_EXPORT(AdamVectors);
HWY_EXPORT(ExpOf);
HWY_EXPORT(SumOfSquares);
HWY_EXPORT(Dropout);
HWY_EXPORT(FillRows);
HWY_EXPORT(GatherRows);
HWY_EXPORT(ScatterRows);
HWY_EXPORT(SumRows);
HWY_EXPORT(InstructionSet);

const char* instruction_set() { return HWY_DYNAMIC_DISPATCH(InstructionSet)(); }
void cross_entropy(const CrossEntropy& rows) { HWY_DYNAMIC_DISPATCH(CrossEntropyRows)(rows); }
void adam_step(const AdamStep& step, float* weight, const float* gradient, float* exp_avg, float* exp_avg_sq,
               std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(AdamVectors)(step, weight, gradient, exp_avg, exp_avg_sq, n);
}
void exp_of(const float* x, float shift, float scale, float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(ExpOf)(x, shift, scale, out, n);
}
double sum_of_squares(const float* x, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(SumOfSquares)(x, n); }
void dropout(const float* in, float* out, std::int64_t n, double p, std::uint64_t seed, std::uint32_t first) {
  HWY_DYNAMIC_DISPATCH(Dropout)(in, out, n, p, seed, first);
}
void fill_rows(const float* row, float* out, std::int64_t rows) { HWY_DYNAMIC_DISPATCH(FillRows)(row, out, rows); }
void gather_rows(const float* table, const std::int32_t* index, float* out, std::int64_t rows) {
  HWY_DYNAMIC_DISPATCH(GatherRows)(table, index, out, rows);
}
void scatter_rows(const float* x, const std::int32_t* index, float* table, std::int64_t rows) {
  HWY_DYNAMIC_DISPATCH(ScatterRows)(x, index, table, rows);
}
void sum_rows(const float* x, float* out, std::int64_t rows) { HWY_DYNAMIC_DISPATCH(SumRows)(x, out, rows); }
}  // namespace charnn
#endif
