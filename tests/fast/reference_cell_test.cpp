#include "fast/reference_cell.h"

#include <gtest/gtest.h>

#include "core/data/torch.h"
#include "core/model/network.h"

namespace charnn {
namespace {

constexpr std::int64_t I = 3, H = 4, T = 5;

struct Case {
  Cell cell;
  CellWeights<double> weights;
  std::vector<double> x;           ///< [T, I]
  std::vector<double> h0, c0;      ///< [H]
  std::vector<double> by_h, by_c;  ///< [T, H], [H]: the loss is sum by_h * h_t + sum by_c * c_T
};

std::vector<double> random_vector(std::int64_t size) {
  const torch::Tensor t = torch::randn({size}, torch::kDouble);
  return {t.data_ptr<double>(), t.data_ptr<double>() + size};
}

Case make_case(Cell cell) {
  torch::manual_seed(7);
  const std::int64_t G = gate_count(cell) * H;
  return {cell,
          {I, H, random_vector(I * G), random_vector(H * G), random_vector(G), random_vector(G)},
          random_vector(T * I),
          random_vector(H),
          random_vector(H),
          random_vector(T * H),
          random_vector(H)};
}

double loss_of(const Case& k, std::vector<CellTape<double>>* tapes = nullptr) {
  std::vector<double> h = k.h0, c = k.c0;
  double loss = 0;
  for (std::int64_t t = 0; t < T; ++t) {
    CellTape<double> tape;
    cell_forward(k.cell, k.weights, k.x.data() + t * I, h.data(), c.data(), tape);
    for (std::int64_t j = 0; j < H; ++j)
      loss += k.by_h[static_cast<std::size_t>(t * H + j)] * h[static_cast<std::size_t>(j)];
    if (tapes != nullptr) tapes->push_back(tape);
  }
  if (k.cell == Cell::lstm)
    for (std::size_t j = 0; j < static_cast<std::size_t>(H); ++j) loss += k.by_c[j] * c[j];
  return loss;
}

class ReferenceCell : public testing::TestWithParam<Cell> {};

TEST_P(ReferenceCell, GradientsMatchNumericalDifferentiation) {
  Case k = make_case(GetParam());
  std::vector<CellTape<double>> tapes;
  loss_of(k, &tapes);
  CellWeights<double> gradient = k.weights;
  for (auto* part : {&gradient.weight_ih, &gradient.weight_hh, &gradient.bias_ih, &gradient.bias_hh})
    std::fill(part->begin(), part->end(), 0.0);
  std::vector<double> dx(k.x.size()), dh(static_cast<std::size_t>(H), 0.0), dc = k.by_c;
  for (std::int64_t t = T - 1; t >= 0; --t) {
    for (std::int64_t j = 0; j < H; ++j) dh[static_cast<std::size_t>(j)] += k.by_h[static_cast<std::size_t>(t * H + j)];
    cell_backward(k.cell, k.weights, tapes[static_cast<std::size_t>(t)], dh.data(), dc.data(), dx.data() + t * I,
                  gradient);
  }
  const auto check = [&](std::vector<double>& values, const std::vector<double>& analytic, const char* what) {
    ASSERT_EQ(values.size(), analytic.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      constexpr double step = 1e-6;
      const double value = values[i];
      values[i] = value + step;
      const double up = loss_of(k);
      values[i] = value - step;
      const double down = loss_of(k);
      values[i] = value;
      EXPECT_NEAR(analytic[i], (up - down) / (2 * step), 1e-7) << what << " " << i;
    }
  };
  check(k.weights.weight_ih, gradient.weight_ih, "weight_ih");
  check(k.weights.weight_hh, gradient.weight_hh, "weight_hh");
  check(k.weights.bias_ih, gradient.bias_ih, "bias_ih");
  check(k.weights.bias_hh, gradient.bias_hh, "bias_hh");
  check(k.x, dx, "x");
  check(k.h0, dh, "h0");
  if (k.cell == Cell::lstm) check(k.c0, dc, "c0");
}

/// Output, state and gradients of the network's layer (torch's own module) against the reference.
TEST_P(ReferenceCell, MatchesTorchModules) {
  torch::manual_seed(3);
  ModelConfig config{.cell = GetParam(), .layers = 1, .hidden = H, .embedding = I};
  constexpr std::int64_t V = 6;
  CharRnn model(config, V);
  model.to(torch::kDouble);
  std::map<std::string, torch::Tensor> weights;
  for (const auto& [name, tensor] : model.weights()) weights.emplace(name, tensor);
  const torch::Tensor ids = torch::randint(0, V, {T, 1}, torch::kInt64);
  State state{torch::randn({1, 1, H}, torch::kDouble), {}};
  if (config.cell == Cell::lstm) state.c = torch::randn({1, 1, H}, torch::kDouble);
  auto [logits, next] = model.forward(ids, state);
  next.h.sum().backward();

  const auto w = CellWeights<double>::from(weights["rnn.weight_ih_l0"], weights["rnn.weight_hh_l0"],
                                           weights["rnn.bias_ih_l0"], weights["rnn.bias_hh_l0"]);
  std::vector<double> h(state.h.data_ptr<double>(), state.h.data_ptr<double>() + H),
      c(static_cast<std::size_t>(H), 0.0);
  if (config.cell == Cell::lstm) c.assign(state.c.data_ptr<double>(), state.c.data_ptr<double>() + H);
  std::vector<CellTape<double>> tapes(static_cast<std::size_t>(T));
  for (std::int64_t t = 0; t < T; ++t) {
    const torch::Tensor x = weights["encoder.weight"][ids[t][0].item<std::int64_t>()].detach().contiguous();
    cell_forward(config.cell, w, x.data_ptr<double>(), h.data(), c.data(), tapes[static_cast<std::size_t>(t)]);
  }
  for (std::int64_t j = 0; j < H; ++j) {
    EXPECT_NEAR(next.h[0][0][j].item<double>(), h[static_cast<std::size_t>(j)], 1e-12);
    if (config.cell == Cell::lstm) {
      EXPECT_NEAR(next.c[0][0][j].item<double>(), c[static_cast<std::size_t>(j)], 1e-12);
    }
  }
  CellWeights<double> gradient = w;
  for (auto* part : {&gradient.weight_ih, &gradient.weight_hh, &gradient.bias_ih, &gradient.bias_hh})
    std::fill(part->begin(), part->end(), 0.0);
  std::vector<double> dh(static_cast<std::size_t>(H), 1.0), dc(static_cast<std::size_t>(H), 0.0),
      dx(static_cast<std::size_t>(I));
  for (std::int64_t t = T - 1; t >= 0; --t)
    cell_backward(config.cell, w, tapes[static_cast<std::size_t>(t)], dh.data(), dc.data(), dx.data(), gradient);
  const auto expect_gradient = [&](const char* name, const std::vector<double>& expected) {
    const torch::Tensor actual = weights[name].grad().t().contiguous();
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(actual.data_ptr<double>()[i], expected[i], 1e-12) << name;
  };
  expect_gradient("rnn.weight_ih_l0", gradient.weight_ih);
  expect_gradient("rnn.weight_hh_l0", gradient.weight_hh);
  expect_gradient("rnn.bias_hh_l0", gradient.bias_hh);
}

INSTANTIATE_TEST_SUITE_P(Cells, ReferenceCell, testing::Values(Cell::rnn, Cell::gru, Cell::lstm), [](const auto& cell) {
  return std::string(cell_names[static_cast<std::size_t>(cell.param)]);
});

}  // namespace
}  // namespace charnn
