#include "kernels/cell_kernels.h"

#include "kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cell_kernels.cpp"
// clang-format off
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace charnn {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, block_columns>;
using Vec = hn::Vec<Tag>;
constexpr Tag d;
constexpr std::int64_t lanes = static_cast<std::int64_t>(hn::MaxLanes(Tag()));

HWY_INLINE Vec constant(double value) { return hn::Set(d, static_cast<float>(value)); }

/// A quotient not yet divided.
struct Ratio {
  Vec p, q;
};

/// x, but at most 9 away from 0; NaN stays.
HWY_INLINE Vec clamp(Vec x) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  // x86 returns the second argument where one is NaN.
  return hn::Max(constant(-9), hn::Min(constant(9), x));
#else
  // Elsewhere minimum and maximum prefer the number.
  x = hn::IfThenElse(hn::Gt(x, constant(9)), constant(9), x);
  return hn::IfThenElse(hn::Lt(x, constant(-9)), constant(-9), x);
#endif
}

/// tanh(x) = x P(x^2) / Q(x^2) for |x| <= 9, beyond which it is 1 in float. P and Q are of degree 4, fitted for the
/// least largest relative error (2e-8) by iteratively reweighted least squares.
HWY_INLINE Ratio tanh_ratio(Vec x) {
  x = clamp(x);
  const Vec z = hn::Mul(x, x);
  Vec p = hn::MulAdd(constant(1.335291744e-8), z, constant(2.06080719e-5));
  p = hn::MulAdd(p, z, constant(0.003495539489));
  p = hn::MulAdd(p, z, constant(0.1338098967));
  p = hn::MulAdd(p, z, constant(0.9999999801));
  Vec q = hn::MulAdd(constant(7.775914665e-7), z, constant(0.0003285545862));
  q = hn::MulAdd(q, z, constant(0.02587681216));
  q = hn::MulAdd(q, z, constant(0.4671430554));
  q = hn::MulAdd(q, z, constant(1));
  return {hn::Mul(x, p), q};
}

/// sigmoid(x) = (1 + tanh(x / 2)) / 2
HWY_INLINE Ratio sigmoid_ratio(Vec x) {
  const Ratio t = tanh_ratio(hn::Mul(x, constant(0.5)));
  return {hn::Mul(constant(0.5), hn::Add(t.p, t.q)), t.q};
}

HWY_INLINE Vec divide(const Ratio& r) { return hn::Div(r.p, r.q); }

/// Two quotients for one division, which costs as much as 16 multiplications.
HWY_INLINE void divide(const Ratio& a, const Ratio& b, Vec& a_out, Vec& b_out) {
  const Vec inverse = hn::Div(constant(1), hn::Mul(a.q, b.q));
  a_out = hn::Mul(hn::Mul(a.p, b.q), inverse);
  b_out = hn::Mul(hn::Mul(b.p, a.q), inverse);
}

/// x (1 - x), the sigmoid's derivative in terms of its value.
HWY_INLINE Vec sigmoid_slope(Vec y) { return hn::NegMulAdd(y, y, y); }

/// 1 - y^2, tanh's.
HWY_INLINE Vec tanh_slope(Vec y) { return hn::NegMulAdd(y, y, constant(1)); }

void LstmForward(const Gates& gates, const float* c_prev, float* c, float* HWY_RESTRICT h, std::int64_t n) {
  const auto [gi, gf, gg, go] = gates.at;
  for (std::int64_t j = 0; j < n; j += lanes) {
    Vec i, f, g, o;
    divide(sigmoid_ratio(hn::Load(d, gi + j)), sigmoid_ratio(hn::Load(d, gf + j)), i, f);
    divide(tanh_ratio(hn::Load(d, gg + j)), sigmoid_ratio(hn::Load(d, go + j)), g, o);
    const Vec cell = hn::MulAdd(f, hn::Load(d, c_prev + j), hn::Mul(i, g));
    hn::Store(i, d, gi + j);
    hn::Store(f, d, gf + j);
    hn::Store(g, d, gg + j);
    hn::Store(o, d, go + j);
    hn::Store(cell, d, c + j);
    hn::Store(hn::Mul(o, divide(tanh_ratio(cell))), d, h + j);
  }
}

void LstmBackward(const Gates& gates, const float* HWY_RESTRICT c_prev, const float* HWY_RESTRICT c,
                  const float* HWY_RESTRICT dh, float* HWY_RESTRICT dc, std::int64_t n) {
  const auto [gi, gf, gg, go] = gates.at;
  for (std::int64_t j = 0; j < n; j += lanes) {
    const Vec i = hn::Load(d, gi + j), f = hn::Load(d, gf + j), g = hn::Load(d, gg + j), o = hn::Load(d, go + j);
    const Vec tanh_c = divide(tanh_ratio(hn::Load(d, c + j))), by_h = hn::Load(d, dh + j);
    const Vec by_c = hn::MulAdd(hn::Mul(by_h, o), tanh_slope(tanh_c), hn::Load(d, dc + j));
    hn::Store(hn::Mul(hn::Mul(by_c, g), sigmoid_slope(i)), d, gi + j);
    hn::Store(hn::Mul(hn::Mul(by_c, hn::Load(d, c_prev + j)), sigmoid_slope(f)), d, gf + j);
    hn::Store(hn::Mul(hn::Mul(by_c, i), tanh_slope(g)), d, gg + j);
    hn::Store(hn::Mul(hn::Mul(by_h, tanh_c), sigmoid_slope(o)), d, go + j);
    hn::Store(hn::Mul(by_c, f), d, dc + j);
  }
}

void GruForward(const Gates& gates, const float* HWY_RESTRICT h_prev, float* HWY_RESTRICT h, std::int64_t n) {
  const auto [gn, gr, gz, gh] = gates.at;
  for (std::int64_t j = 0; j < n; j += lanes) {
    Vec r, z;
    divide(sigmoid_ratio(hn::Load(d, gr + j)), sigmoid_ratio(hn::Load(d, gz + j)), r, z);
    const Vec value = divide(tanh_ratio(hn::MulAdd(r, hn::Load(d, gh + j), hn::Load(d, gn + j))));
    hn::Store(value, d, gn + j);
    hn::Store(r, d, gr + j);
    hn::Store(z, d, gz + j);
    // (1 - z) n + z h
    hn::Store(hn::MulAdd(z, hn::Sub(hn::Load(d, h_prev + j), value), value), d, h + j);
  }
}

void GruBackward(const Gates& gates, const float* HWY_RESTRICT h_prev, const float* HWY_RESTRICT dh,
                 float* HWY_RESTRICT dh_prev, std::int64_t n) {
  const auto [gn, gr, gz, gh] = gates.at;
  for (std::int64_t j = 0; j < n; j += lanes) {
    const Vec value = hn::Load(d, gn + j), r = hn::Load(d, gr + j), z = hn::Load(d, gz + j);
    const Vec by_h = hn::Load(d, dh + j);
    const Vec by_n = hn::Mul(hn::NegMulAdd(by_h, z, by_h), tanh_slope(value));
    hn::Store(by_n, d, gn + j);
    hn::Store(hn::Mul(hn::Mul(by_n, hn::Load(d, gh + j)), sigmoid_slope(r)), d, gr + j);
    hn::Store(hn::Mul(hn::Mul(by_h, hn::Sub(hn::Load(d, h_prev + j), value)), sigmoid_slope(z)), d, gz + j);
    hn::Store(hn::Mul(by_n, r), d, gh + j);
    if (dh_prev) hn::Store(hn::MulAdd(by_h, z, hn::Load(d, dh_prev + j)), d, dh_prev + j);
  }
}

void RnnForward(float* HWY_RESTRICT gate, float* HWY_RESTRICT h, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += lanes) {
    const Vec value = divide(tanh_ratio(hn::Load(d, gate + j)));
    hn::Store(value, d, gate + j);
    hn::Store(value, d, h + j);
  }
}

void RnnBackward(float* HWY_RESTRICT gate, const float* HWY_RESTRICT dh, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += lanes)
    hn::Store(hn::Mul(hn::Load(d, dh + j), tanh_slope(hn::Load(d, gate + j))), d, gate + j);
}

void Tanh(const float* HWY_RESTRICT x, float* HWY_RESTRICT out, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += lanes) hn::Store(divide(tanh_ratio(hn::Load(d, x + j))), d, out + j);
}

void Sigmoid(const float* HWY_RESTRICT x, float* HWY_RESTRICT out, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += lanes) hn::Store(divide(sigmoid_ratio(hn::Load(d, x + j))), d, out + j);
}

}  // namespace HWY_NAMESPACE
}  // namespace charnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charnn {

HWY_EXPORT(LstmForward);
HWY_EXPORT(LstmBackward);
HWY_EXPORT(GruForward);
HWY_EXPORT(GruBackward);
HWY_EXPORT(RnnForward);
HWY_EXPORT(RnnBackward);
HWY_EXPORT(Tanh);
HWY_EXPORT(Sigmoid);

void lstm_forward(const Gates& gates, const float* c_prev, float* c, float* h, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(LstmForward)(gates, c_prev, c, h, n);
}
void lstm_backward(const Gates& gates, const float* c_prev, const float* c, const float* dh, float* dc,
                   std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(LstmBackward)(gates, c_prev, c, dh, dc, n);
}
void gru_forward(const Gates& gates, const float* h_prev, float* h, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(GruForward)(gates, h_prev, h, n);
}
void gru_backward(const Gates& gates, const float* h_prev, const float* dh, float* dh_prev, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(GruBackward)(gates, h_prev, dh, dh_prev, n);
}
void rnn_forward(float* gate, float* h, std::int64_t n) { HWY_DYNAMIC_DISPATCH(RnnForward)(gate, h, n); }
void rnn_backward(float* gate, const float* dh, std::int64_t n) { HWY_DYNAMIC_DISPATCH(RnnBackward)(gate, dh, n); }
void tanh_array(const float* x, float* out, std::int64_t n) { HWY_DYNAMIC_DISPATCH(Tanh)(x, out, n); }
void sigmoid_array(const float* x, float* out, std::int64_t n) { HWY_DYNAMIC_DISPATCH(Sigmoid)(x, out, n); }

}  // namespace charnn
#endif
