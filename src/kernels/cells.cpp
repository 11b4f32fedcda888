#include "kernels/cells.h"
#include "kernels/gemm.h"

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

/// tanh(x) = x P(x^2) / Q(x^2) for |x| <= 9, beyond which it is 1 in float. P and Q are of degree 4, fitted for the least
/// largest relative error (2e-8) by iteratively reweighted least squares.
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

/// Some units of all four slots.
struct Slots {
  HWY_INLINE Slots(const CellArrays& arrays, std::int64_t j)
      : at{arrays.slot[0] + j, arrays.slot[1] + j, arrays.slot[2] + j, arrays.slot[3] + j},
        s0(load(at[0])),
        s1(load(at[1])),
        s2(load(at[2])),
        s3(load(at[3])) {}
  HWY_INLINE void store_all() const { store(s0, at[0]), store(s1, at[1]), store(s2, at[2]), store(s3, at[3]); }
  float* at[4];
  Floats s0, s1, s2, s3;
};

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
  for (std::int64_t j = 0; j < n; j += lanes) {
    Slots s(a, j);
    Floats h;
    gru_forward(s.s0, s.s1, s.s2, s.s3, load(a.h_prev + j), h);
    s.store_all();
    store(h, a.h + j);
  }
}

void GruBackward(const CellArrays& a, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += lanes) {
    Slots s(a, j);
    const Floats dh = load(a.dh + j);
    if (a.dh_prev) store(fma(dh, s.s2, load(a.dh_prev + j)), a.dh_prev + j);
    gru_backward(s.s0, s.s1, s.s2, s.s3, load(a.h_prev + j), dh);
    s.store_all();
  }
}

void LstmForward(const CellArrays& a, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += lanes) {
    Slots s(a, j);
    Floats c, h;
    lstm_forward(s.s0, s.s1, s.s2, s.s3, load(a.c_prev + j), c, h);
    s.store_all();
    store(c, a.c + j);
    store(h, a.h + j);
  }
}

void LstmBackward(const CellArrays& a, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += lanes) {
    Slots s(a, j);
    Floats dc = load(a.dc + j);
    lstm_backward(s.s0, s.s1, s.s2, s.s3, load(a.c_prev + j), load(a.c + j), load(a.dh + j), dc);
    s.store_all();
    store(dc, a.dc + j);
  }
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

#define CHARNN_BEST(kernel) [](const CellArrays& a, std::int64_t n) { HWY_DYNAMIC_DISPATCH(kernel)(a, n); }

const CellKind& kind_of(Cell cell) {
  static const CellKind rnn{.gates = 1,
                            .slots = 1,
                            .x_first = 0,
                            .x_count = 1,
                            .h_first = 0,
                            .h_count = 1,
                            .gate_of_slot = {0},
                            .has_c = false,
                            .forward = CHARNN_BEST(RnnForward),
                            .backward = CHARNN_BEST(RnnBackward)};
  static const CellKind gru{.gates = 3,
                            .slots = 4,
                            .x_first = 0,
                            .x_count = 3,
                            .h_first = 1,
                            .h_count = 3,
                            .gate_of_slot = {2, 0, 1, 2},
                            .has_c = false,
                            .forward = CHARNN_BEST(GruForward),
                            .backward = CHARNN_BEST(GruBackward)};
  static const CellKind lstm{.gates = 4,
                             .slots = 4,
                             .x_first = 0,
                             .x_count = 4,
                             .h_first = 0,
                             .h_count = 4,
                             .gate_of_slot = {0, 1, 2, 3},
                             .has_c = true,
                             .forward = CHARNN_BEST(LstmForward),
                             .backward = CHARNN_BEST(LstmBackward)};
  return cell == Cell::rnn ? rnn : cell == Cell::gru ? gru : lstm;
}
}  // namespace charnn
#endif
