#include "kernels/cells.h"
#include "kernels/gemm.h"
#include "kernels/highway.h"

// Compiled once for every instruction set that Highway knows; the best that the CPU has is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cells.cpp"
// clang-format off
#include <hwy/foreach_target.h>  // must come before highway.h
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

/// The number type of the formulas: some floats.
struct Floats {
  // Written out: those that GCC generates are not compiled for the target's instructions (an error on ARM).
  HWY_INLINE Floats() {}
  HWY_INLINE Floats(Vec value) : v(value) {}
  Vec v;
};

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

/// Two quotients for one division, which costs as much as 16 multiplications.
HWY_INLINE void divide(const Ratio& a, const Ratio& b, Floats& a_out, Floats& b_out) {
  const Vec inverse = hn::Div(constant(1), hn::Mul(a.q, b.q));
  a_out.v = hn::Mul(hn::Mul(a.p, b.q), inverse);
  b_out.v = hn::Mul(hn::Mul(b.p, a.q), inverse);
}

// What the formulas ask of a number type.
HWY_INLINE Floats operator*(const Floats& a, const Floats& b) { return {hn::Mul(a.v, b.v)}; }
HWY_INLINE Floats operator-(const Floats& a, const Floats& b) { return {hn::Sub(a.v, b.v)}; }
HWY_INLINE Floats fma(const Floats& a, const Floats& b, const Floats& c) { return {hn::MulAdd(a.v, b.v, c.v)}; }
HWY_INLINE Floats fnma(const Floats& a, const Floats& b, const Floats& c) { return {hn::NegMulAdd(a.v, b.v, c.v)}; }
HWY_INLINE Floats tanh(const Floats& x) {
  const Ratio r = tanh_ratio(x.v);
  return {hn::Div(r.p, r.q)};
}
HWY_INLINE void sigmoids(Floats& a, Floats& b) { divide(sigmoid_ratio(a.v), sigmoid_ratio(b.v), a, b); }
HWY_INLINE void tanh_sigmoid(Floats& a, Floats& b) { divide(tanh_ratio(a.v), sigmoid_ratio(b.v), a, b); }
HWY_INLINE Floats tanh_slope(const Floats& y) { return {hn::NegMulAdd(y.v, y.v, constant(1))}; }
HWY_INLINE Floats sigmoid_slope(const Floats& y) { return {hn::NegMulAdd(y.v, y.v, y.v)}; }

#include "kernels/cell_formulas.inc"

HWY_INLINE Floats load(const float* from) { return {hn::Load(d, from)}; }
HWY_INLINE void store(const Floats& value, float* to) { hn::Store(value.v, d, to); }

/// Calls use(slots, j) for all vectors of units: the values of four slots, which are stored afterwards.
template <class Use>
HWY_INLINE void each(const CellArrays& a, std::int64_t n, Use use) {
  for (std::int64_t j = 0; j < n; j += lanes) {
    Floats s[4] = {load(a.slot[0] + j), load(a.slot[1] + j), load(a.slot[2] + j), load(a.slot[3] + j)};
    use(s, j);
    for (int i = 0; i < 4; ++i) store(s[i], a.slot[i] + j);
  }
}

void RnnForward(const CellArrays& a, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += lanes) {
    Floats y = load(a.slot[0] + j), h;
    rnn_forward(y, h);
    store(y, a.slot[0] + j);
    store(h, a.h + j);
  }
}

void RnnBackward(const CellArrays& a, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += lanes) {
    Floats y = load(a.slot[0] + j);
    rnn_backward(y, load(a.dh + j));
    store(y, a.slot[0] + j);
  }
}

void GruForward(const CellArrays& a, std::int64_t n) {
  each(a, n, [&](Floats* s, std::int64_t j) {
    Floats h;
    gru_forward(s[0], s[1], s[2], s[3], load(a.h_prev + j), h);
    store(h, a.h + j);
  });
}

void GruBackward(const CellArrays& a, std::int64_t n) {
  each(a, n, [&](Floats* s, std::int64_t j) {
    const Floats dh = load(a.dh + j);
    if (a.dh_prev) store(fma(dh, s[2], load(a.dh_prev + j)), a.dh_prev + j);
    gru_backward(s[0], s[1], s[2], s[3], load(a.h_prev + j), dh);
  });
}

void LstmForward(const CellArrays& a, std::int64_t n) {
  each(a, n, [&](Floats* s, std::int64_t j) {
    Floats c, h;
    lstm_forward(s[0], s[1], s[2], s[3], load(a.c_prev + j), c, h);
    store(c, a.c + j);
    store(h, a.h + j);
  });
}

void LstmBackward(const CellArrays& a, std::int64_t n) {
  each(a, n, [&](Floats* s, std::int64_t j) {
    Floats dc = load(a.dc + j);
    lstm_backward(s[0], s[1], s[2], s[3], load(a.c_prev + j), load(a.c + j), load(a.dh + j), dc);
    store(dc, a.dc + j);
  });
}
}  // namespace HWY_NAMESPACE
}  // namespace charnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace charnn {
HWY_EXPORT(RnnForward);
HWY_EXPORT(RnnBackward);
HWY_EXPORT(GruForward);
HWY_EXPORT(GruBackward);
HWY_EXPORT(LstmForward);
HWY_EXPORT(LstmBackward);

const CellKind& kind_of(Cell cell) {
#define CHARNN_BEST(kernel) [](const CellArrays& a, std::int64_t n) { HWY_DYNAMIC_DISPATCH(kernel)(a, n); }
  // clang-format off
  static const CellKind kinds[] = {
    // gates, slots, x_first, x_count, h_first, h_count, gate_of_slot, has_c
    {1, 1, 0, 1, 0, 1, {0},          false, CHARNN_BEST(RnnForward),  CHARNN_BEST(RnnBackward)},
    {3, 4, 0, 3, 1, 3, {2, 0, 1, 2}, false, CHARNN_BEST(GruForward),  CHARNN_BEST(GruBackward)},
    {4, 4, 0, 4, 0, 4, {0, 1, 2, 3}, true,  CHARNN_BEST(LstmForward), CHARNN_BEST(LstmBackward)}};
  // clang-format on
  return kinds[static_cast<int>(cell)];
}
}  // namespace charnn
#endif
