#include "core/io/extend_vocabulary.h"

#include <cmath>

#include <gtest/gtest.h>

#include "core/model/network.h"
#include "tests/support.h"

namespace charnn {
namespace {

const ModelConfig config{.cell = Cell::lstm, .layers = 1, .hidden = 12, .embedding = 6};
const Vocabulary narrow(Tokens::chars, {U'b', U'd', U'e'}), wide(Tokens::chars, {U'a', U'b', U'c', U'd', U'e', U'f'});
const std::vector<std::int64_t> places{1, 3, 4};  // of the narrow ones among the wide

class ExtendVocabulary : public testing::Test {
 protected:
  ExtendVocabulary() {
    torch::manual_seed(3);
    old_ = std::make_unique<CharRnn>(config, narrow.size());
    fresh_ = std::make_unique<CharRnn>(config, wide.size());
    const torch::NoGradGuard no_grad;
    for (const auto& [name, weight] : old_->weights()) torch::Tensor(weight).mul_(3);
    for (NamedTensors* part : {&checkpoint_.exp_avg, &checkpoint_.exp_avg_sq})
      for (const auto& [name, weight] : old_->weights()) part->emplace_back(name, torch::rand_like(weight));
    checkpoint_.model = old_->weights();
  }

  Checkpoint checkpoint_{"{}", narrow, {}, {}, {}, {}, {}, {}};
  std::unique_ptr<CharRnn> old_, fresh_;
};

TEST_F(ExtendVocabulary, OldRowsAndTheirMomentsStayBitForBit) {
  const Checkpoint extended = extend_vocabulary(checkpoint_, wide, fresh_->weights());
  EXPECT_EQ(extended.vocabulary, wide);
  const auto check = [](const NamedTensors& before, const NamedTensors& after, bool moments) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      const torch::Tensor old = before[i].second.detach(), now = after[i].second.detach();
      EXPECT_EQ(before[i].first, after[i].first);
      if (before[i].first.rfind("rnn.", 0) == 0) {
        EXPECT_TRUE(torch::equal(old, now)) << before[i].first;
        continue;
      }
      ASSERT_EQ(now.size(0), wide.size());
      for (std::size_t s = 0; s < places.size(); ++s)
        EXPECT_TRUE(torch::equal(old[static_cast<std::int64_t>(s)], now[places[s]])) << before[i].first << s;
      for (const std::int64_t added : {0, 2, 5})
        if (moments) {
          EXPECT_EQ(now[added].abs().sum().item<double>(), 0) << before[i].first;
        } else if (before[i].first != "encoder.weight") {
          EXPECT_TRUE(torch::allclose(now[added], old.mean(0))) << before[i].first;
        }
    }
  };
  check(checkpoint_.model, extended.model, false);
  check(checkpoint_.exp_avg, extended.exp_avg, true);
  check(checkpoint_.exp_avg_sq, extended.exp_avg_sq, true);
}

TEST_F(ExtendVocabulary, OldTextCostsAtMostTheShareOfTheNewSymbols) {
  CharRnn model(config, wide.size());
  model.load(extend_vocabulary(checkpoint_, wide, fresh_->weights()).model);
  const torch::Tensor ids = torch::randint(0, 3, {40, 2}, torch::kInt64),
                      targets = torch::randint(0, 3, {40, 2}, torch::kInt64);
  const torch::Tensor moved = torch::tensor(places, torch::kInt64);
  const torch::Tensor before = old_->nats(ids, targets, old_->zero_state(2)).nats;
  const torch::Tensor after = model.nats(moved.index({ids}), moved.index({targets}), model.zero_state(2)).nats;
  const torch::Tensor more = after - before;
  EXPECT_LE(more.max().item<double>(), std::log(1 + 3.0 / 3) + 1e-5);
  EXPECT_GT(more.min().item<double>(), 0) << "the new symbols get some probability";
}

TEST_F(ExtendVocabulary, TheWiderOneMustHaveAllSymbols) {
  const Vocabulary other(Tokens::chars, {U'a', U'b', U'd', U'f'});
  test::expect_contains(test::error_of([&] { extend_vocabulary(checkpoint_, other, fresh_->weights()); }),
                        "lacks a symbol");
}

}  // namespace
}  // namespace charnn
