#include "core/train/team.h"
#include "tests/core/train/rig.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;
using test::Rig;

constexpr ModelConfig plain{.cell = Cell::gru, .layers = 2, .hidden = 16, .embedding = 8};

/// Gradients and loss of the first window, and the state after it.
struct Window {
  explicit Window(std::int64_t shards, const ModelConfig& model = plain) {
    rig.make(model);
    Team team(*rig.network, rig.group, rig.train.batch_size, shards);
    seed_generators(3);
    state = team.zero_state();
    loss = team.train(rig.batcher->next(), state, wishes);
    gradients = rig.network->gradients().to_host();
  }

  Rig rig;
  Wishes wishes;
  State state;
  double loss = 0;
  std::vector<float> gradients;
};

TEST(Team, ShardsAddUpToTheWholeGradient) {
  const Window whole(1);
  for (const std::int64_t shards : {2, 4}) {
    const Window cut(shards);
    EXPECT_NEAR(cut.loss, whole.loss, 1e-6);
    EXPECT_EQ(cut.state.h, whole.state.h) << "a stream's state does not depend on the others";
    for (std::size_t i = 0; i < cut.gradients.size(); ++i) ASSERT_NEAR(cut.gradients[i], whole.gradients[i], 1e-6);
  }
}

TEST(Team, OneShardIsTheNetworksOwnStep) {
  const Window team(1);
  Rig rig;
  rig.make(plain);
  State state = rig.network->zero_state(rig.train.batch_size);
  EXPECT_EQ(rig.network->train_window(rig.batcher->next(), state), team.loss);
  EXPECT_EQ(rig.network->gradients().to_host(), team.gradients);
}

TEST(Team, ShardsDropOutUnitsOfTheirOwn) {
  // All streams read the same text from the same state, and only dropout can tell their shards apart.
  ModelConfig model = plain;
  model.dropout = 0.5;
  Rig rig;
  rig.make(model);
  Batch batch(5, 4, false);
  for (std::size_t i = 0; i < batch.input.size(); ++i)
    batch.input[i] = batch.target[i] = static_cast<std::int64_t>(i) / batch.streams;
  const auto gradients = [&](std::int64_t shards) {
    Team team(*rig.network, rig.group, batch.streams, shards);
    State state = team.zero_state();
    Wishes wishes;
    seed_generators(3);
    team.train(batch, state, wishes);
    return rig.network->gradients().to_host();
  };
  EXPECT_NE(gradients(4), gradients(2));
  EXPECT_EQ(gradients(4), gradients(4));
}

TEST(Team, ShardsArePowersOfTwoThatFit) {
  require_shards(8, 50, 4);
  require_shards(1, 1, 1);
  expect_contains(error_of([] { require_shards(3, 50, 1); }), "a power of two");
  expect_contains(error_of([] { require_shards(8, 7, 1); }), "--shards 4");
  expect_contains(error_of([] { require_shards(4, 50, 3); }), "3 processes");
  expect_contains(error_of([] { require_shards(2, 50, 4); }), "train.shards = 2");
}

}  // namespace
}  // namespace charnn
