#include "core/train/dynamic.h"
#include <cmath>
#include <numeric>
#include "core/io/safetensors.h"
#include "tests/core/train/rig.h"

namespace charnn {
namespace {

using test::Rig;

/// A network trained for some steps.
struct Trained {
  Trained() {
    Trainer trainer(rig.parts());
    for (int i = 0; i < 60; ++i) trainer.step();
    checkpoint = std::make_unique<Checkpoint>(trainer.snapshot());
    network = std::make_unique<Network>(checkpoint->layout, checkpoint->weights);
  }

  Rig rig{Cell::gru, 0.01, /*dropout=*/0};
  std::unique_ptr<Checkpoint> checkpoint;
  std::unique_ptr<Network> network;
};

TEST(Dynamic, FollowsItsFormula) {
  Trained t;
  const DynamicOptions options{.rate = 1e-3, .decay = 0.3, .segment = 8};
  DynamicNetwork dynamic(*t.network, *t.checkpoint, options);
  const std::vector<float>& first = t.checkpoint->weights;
  std::vector<double> roots, expected(first.begin(), first.end());
  for (const float square : t.checkpoint->exp_avg_sq) roots.push_back(std::sqrt(static_cast<double>(square)));
  const double mean = std::accumulate(roots.begin(), roots.end(), 0.0) / static_cast<double>(roots.size());
  Batcher batcher(*t.rig.corpus, t.rig.corpus->val(), 1, options.segment);
  State state = t.network->zero_state(1);
  std::vector<float> nats(8);
  for (int segment = 0; segment < 3; ++segment) {
    dynamic.score_and_learn(batcher.next(), state, nats);
    const std::vector<float> gradient = t.network->gradients().to_host();
    for (std::size_t i = 0; i < first.size(); ++i)
      expected[i] += std::min(1.0, 0.3 * roots[i] / mean) * (static_cast<double>(first[i]) - expected[i]) -
                     1e-3 / (roots[i] + mean) * static_cast<double>(gradient[i]);
    const std::vector<float> weights = t.network->weights().to_host();
    for (std::size_t i = 0; i < first.size(); ++i)
      ASSERT_NEAR(static_cast<double>(weights[i]), expected[i], 1e-6 * (1 + std::abs(expected[i]))) << segment;
  }
}

TEST(Dynamic, WithTinyStepsItIsTheStaticEvaluation) {
  Trained t;
  DynamicNetwork dynamic(*t.network, *t.checkpoint, {.rate = 1e-12});
  std::vector<float> told;
  EvalOptions options;
  options.each = [&](std::int64_t first, std::span<const float> some) {
    EXPECT_EQ(first, std::ssize(told) + 1);
    told.insert(told.end(), some.begin(), some.end());
  };
  const EvalResult result = *evaluate_dynamic(dynamic, *t.rig.corpus, t.rig.corpus->val(), options);
  const EvalResult plain = *evaluate(*t.network, *t.rig.corpus, t.rig.corpus->val(), {.streams = 1});
  EXPECT_EQ(result.chars, plain.chars);
  EXPECT_EQ(std::ssize(told), plain.chars);
  EXPECT_NEAR(result.nats, plain.nats, 1e-5 * plain.nats);
  EXPECT_FALSE(evaluate_dynamic(dynamic, *t.rig.corpus, t.rig.corpus->val(), {.stop = [] { return true; }}));
}

TEST(Dynamic, LearnsWhatIsNew) {
  Trained t;
  std::string odd;
  for (int i = 0; i < 60; ++i) odd += "tac eht no tas tam eht. ";
  const test::TemporaryFolder folder;
  const std::string path = folder / "odd";
  write_file(path, odd);
  DataConfig data;
  data.files = {path};
  const Corpus corpus(data, t.rig.corpus->vocabulary());
  const double before = evaluate(*t.network, corpus, corpus.all())->loss();
  DynamicNetwork dynamic(*t.network, *t.checkpoint, {.rate = 1e-2});
  EXPECT_LT(evaluate_dynamic(dynamic, corpus, corpus.all())->loss(), 0.8 * before);
}

TEST(Dynamic, NeedsAdamsMoments) {
  Rig rig;
  Trainer trainer(rig.parts());
  const Checkpoint untrained = trainer.snapshot();
  test::expect_contains(test::error_of([&] { DynamicNetwork dynamic(*rig.network, untrained); }), "second moments");
}

}  // namespace
}  // namespace charnn
