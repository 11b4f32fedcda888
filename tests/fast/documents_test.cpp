// Documents: nothing passes from one to the next, neither state nor gradient.
#include <map>

#include <gtest/gtest.h>

#include "core/model/network.h"

namespace charnn {
namespace {

constexpr std::int64_t V = 9, T = 11, B = 3, start = 4;

class Documents : public testing::TestWithParam<Cell> {
 protected:
  Documents() : model({.cell = GetParam(), .layers = 2, .hidden = 18, .embedding = 5}, seeded()) {
    ids = torch::randint(0, V, {T, B}, torch::kInt64);
    targets = torch::randint(0, V, {T, B}, torch::kInt64);
    starts = torch::zeros({T, B}, torch::kUInt8);
    starts[start].fill_(1);
    state = model.zero_state(B);
    state.h = torch::randn_like(state.h);
    if (state.c.defined()) state.c = torch::randn_like(state.c);
  }
  static std::int64_t seeded() { return torch::manual_seed(5), V; }

  std::map<std::string, torch::Tensor> gradients() {
    std::map<std::string, torch::Tensor> all;
    for (auto& [name, weight] : model.weights()) {
      all.emplace(name, weight.grad().clone());
      torch::Tensor(weight).mutable_grad() = torch::Tensor();
    }
    return all;
  }

  CharRnn model;
  torch::Tensor ids, targets, starts;
  State state;
};

TEST_P(Documents, ADocumentIsReadAsIfItWereAlone) {
  const torch::Tensor second = ids.slice(0, start).contiguous(), its_targets = targets.slice(0, start).contiguous();
  const auto together = model.nats(ids, targets, state, starts);
  const auto alone = model.nats(second, its_targets, model.zero_state(B));
  EXPECT_TRUE(torch::allclose(together.nats.slice(0, start), alone.nats, 1e-6, 1e-6));
  EXPECT_TRUE(torch::allclose(together.state.h, alone.state.h, 1e-6, 1e-6));
  const auto without = model.nats(ids, targets, state);
  EXPECT_FALSE(torch::allclose(without.nats.slice(0, start), alone.nats, 1e-3, 1e-3)) << "else nothing is tested";
  EXPECT_TRUE(torch::equal(without.nats.slice(0, 0, start), together.nats.slice(0, 0, start)));
}

TEST_P(Documents, NoGradientPassesTheBoundary) {
  // Only the second document's predictions count. If any gradient reached the first, these would differ.
  const torch::Tensor counted = targets.clone();
  counted.slice(0, 0, start).fill_(-1);
  model.loss(ids, counted, state, starts).mean.backward();
  const auto together = gradients();
  model.loss(ids.slice(0, start).contiguous(), targets.slice(0, start).contiguous(), model.zero_state(B))
      .mean.backward();
  constexpr double share = static_cast<double>(T - start) / T;  // of what the mean is over
  for (const auto& [name, gradient] : gradients())
    EXPECT_TRUE(torch::allclose(together.at(name), gradient * share, 1e-5, 1e-6)) << name;
}

INSTANTIATE_TEST_SUITE_P(Cells, Documents, testing::Values(Cell::rnn, Cell::gru, Cell::lstm),
                         [](const auto& cell) { return cell_names[static_cast<std::size_t>(cell.param)]; });

}  // namespace
}  // namespace charnn
