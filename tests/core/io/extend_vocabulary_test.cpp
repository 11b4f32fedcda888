#include "core/io/extend_vocabulary.h"
#include <cmath>
#include <gtest/gtest.h>
#include "core/base/random.h"
#include "core/model/network.h"
#include "core/model/torch_runtime.h"
#include "tests/support.h"

namespace charnn {
namespace {

const ModelConfig config{.cell = Cell::lstm, .layers = 1, .hidden = 12, .embedding = 6};
const Vocabulary narrow(Tokens::chars, {U'b', U'd', U'e'}), wide(Tokens::chars, {U'a', U'b', U'c', U'd', U'e', U'f'});
const std::vector<std::int64_t> places{1, 3, 4};  // of the narrow ones among the wide

/// The narrow network, with weights three times as large as new ones, and moments; and a new network of the wide one.
struct ExtendVocabulary : testing::Test {
  ExtendVocabulary() {
    seed_generators(3);
    fresh = Network(config, wide.size()).weights().to_host();
    checkpoint.weights = Network(config, narrow.size()).weights().to_host();
    for (float& weight : checkpoint.weights) weight *= 3;
    checkpoint.average = checkpoint.weights;
    Random random(3);
    for (std::vector<float>* part : {&checkpoint.exp_avg, &checkpoint.exp_avg_sq})
      for (std::size_t i = 0; i < checkpoint.weights.size(); ++i) part->push_back(static_cast<float>(random.uniform()));
  }

  std::vector<float> fresh;
  Checkpoint checkpoint{"{}", narrow, {}, NetworkLayout(config, narrow.size()), {}, {}, {}, {}, {}};
};

/// Row `row` of a weight in a flat buffer.
std::vector<float> row_of(const std::vector<float>& flat, const WeightInfo& weight, std::int64_t row) {
  const std::int64_t width = weight.size / weight.shape[0];
  const auto begin = flat.begin() + weight.offset + row * width;
  return {begin, begin + width};
}

std::vector<float> mean_row_of(const std::vector<float>& flat, const WeightInfo& weight) {
  std::vector<float> mean = row_of(flat, weight, 0);
  for (std::int64_t row = 1; row < weight.shape[0]; ++row)
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += row_of(flat, weight, row)[i];
  for (float& value : mean) value /= static_cast<float>(weight.shape[0]);
  return mean;
}

TEST_F(ExtendVocabulary, OldRowsAndTheirMomentsStayBitForBit) {
  const Checkpoint extended = extend_vocabulary(checkpoint, wide, fresh);
  EXPECT_EQ(extended.vocabulary, wide);
  EXPECT_EQ(extended.layout.vocabulary_size(), wide.size());
  const auto check = [&](std::vector<float> Checkpoint::*part) {
    const std::vector<float>&before = checkpoint.*part, &after = extended.*part;
    ASSERT_EQ(after.size(), static_cast<std::size_t>(extended.layout.size()));
    for (std::size_t i = 0; i < checkpoint.layout.weights().size(); ++i) {
      const WeightInfo &old = checkpoint.layout.weights()[i], &now = extended.layout.weights()[i];
      EXPECT_EQ(old.name, now.name);
      if (old.name.starts_with("rnn.")) {
        for (std::int64_t row = 0; row < old.shape[0]; ++row)
          EXPECT_EQ(row_of(before, old, row), row_of(after, now, row)) << old.name << row;
        continue;
      }
      ASSERT_EQ(now.shape[0], wide.size());
      for (std::size_t s = 0; s < places.size(); ++s)
        EXPECT_EQ(row_of(before, old, static_cast<std::int64_t>(s)), row_of(after, now, places[s])) << old.name << s;
      for (const std::int64_t added : {0, 2, 5}) {
        const std::vector<float> row = row_of(after, now, added);
        if (part != &Checkpoint::weights) {
          EXPECT_EQ(row, std::vector<float>(row.size())) << old.name;
        } else if (old.name == "encoder.weight") {
          EXPECT_EQ(row, row_of(fresh, now, added));
        } else {
          const std::vector<float> mean = mean_row_of(before, old);
          for (std::size_t k = 0; k < row.size(); ++k) EXPECT_NEAR(row[k], mean[k], 1e-6) << old.name;
        }
      }
    }
  };
  check(&Checkpoint::weights);
  check(&Checkpoint::exp_avg);
  check(&Checkpoint::exp_avg_sq);
}

TEST_F(ExtendVocabulary, OldTextCostsAtMostTheShareOfTheNewSymbols) {
  const Checkpoint extended = extend_vocabulary(checkpoint, wide, fresh);
  Network before(checkpoint.layout, checkpoint.weights), after(extended.layout, extended.weights);
  Batch batch(40, 2, /*has_documents=*/false), moved = batch;
  Random random(4);
  for (std::size_t i = 0; i < batch.input.size(); ++i) {
    batch.input[i] = static_cast<std::int64_t>(random.next() % 3);
    batch.target[i] = static_cast<std::int64_t>(random.next() % 3);
    moved.input[i] = places[static_cast<std::size_t>(batch.input[i])];
    moved.target[i] = places[static_cast<std::size_t>(batch.target[i])];
  }
  const auto nats_of = [](Network& network, const Batch& text) {
    State state = network.zero_state(text.streams);
    std::vector<float> nats(text.input.size());
    network.score_window(text, state, nats);
    return nats;
  };
  const std::vector<float> old_nats = nats_of(before, batch), new_nats = nats_of(after, moved);
  for (std::size_t i = 0; i < old_nats.size(); ++i) {
    EXPECT_LE(new_nats[i] - old_nats[i], std::log(1 + 3.0 / 3) + 1e-5);
    EXPECT_GT(new_nats[i], old_nats[i]) << "the new symbols get some probability";
  }
}

TEST_F(ExtendVocabulary, TheWiderOneMustHaveAllSymbols) {
  const Vocabulary other(Tokens::chars, {U'a', U'b', U'd', U'f'});
  test::expect_contains(test::error_of([&] { extend_vocabulary(checkpoint, other, fresh); }), "lacks a symbol");
}

}  // namespace
}  // namespace charnn
