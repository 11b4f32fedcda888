#include "extras/init/config_proposal.h"
#include "core/data/batcher.h"
#include "core/train/schedule.h"
#include "tests/support.h"

namespace charnn::cli {
namespace {

/// As on a machine with two slow cores.
ProposalFacts facts_of(std::int64_t chars, double minutes = 5, double times_as_fast = 1) {
  ProposalFacts facts{.files = {"a \"text\".txt"}, .chars = chars, .minutes = minutes};
  facts.yardsticks = {{2.0, 1.75}, 1.5};
  facts.speeds = {3e5, 1e5, 3e4, 8e3};
  for (double& speed : facts.speeds) speed *= times_as_fast;
  return facts;
}

TEST(Propose, FitsTextsOfEverySize) {
  for (std::int64_t chars = 24; chars < 20'000'000'000; chars += chars / 7 + 1) {
    const Proposal p = propose(facts_of(chars));
    const auto val = static_cast<std::int64_t>(static_cast<double>(chars) * p.config.data.val_fraction);
    EXPECT_GE(val, 2) << chars;
    EXPECT_NO_THROW(require_fits({0, chars - val}, p.config.train.batch_size, p.config.train.sequence_length)) << chars;
    EXPECT_NO_THROW(require_plan(p.config.train, p.config.schedule)) << chars;
    EXPECT_GT(p.steps, 0) << chars;
    EXPECT_LE(p.config.schedule.warmup_steps, p.steps) << chars;
    EXPECT_GT(p.loss, 0) << chars;
  }
  test::expect_contains(test::error_of([] { propose(facts_of(20)); }), "at least 24");
}

TEST(Propose, KeepsToItsTime) {
  for (const double minutes : {0.5, 5.0, 60.0})
    for (const std::int64_t chars : {100'000, 1'000'000, 100'000'000}) {
      const Proposal p = propose(facts_of(chars, minutes));
      EXPECT_LE(p.seconds, 60 * minutes * 1.0001);
      EXPECT_EQ(p.config.train.max_minutes, minutes);
      EXPECT_TRUE(p.seconds > 59 * minutes || p.config.train.epochs > 0) << minutes << " " << chars;
    }
}

TEST(Propose, MoreTimeAndFasterMachinesGetLargerNetworksAndLowerLosses) {
  for (const std::int64_t chars : {1'000'000, 5'000'000, 20'000'000}) {
    Proposal before = propose(facts_of(chars, 0.5));
    for (const double minutes : {2.0, 10.0, 60.0}) {
      const Proposal p = propose(facts_of(chars, minutes)), fast = propose(facts_of(chars, minutes, 4));
      EXPECT_GE(p.config.model.hidden, before.config.model.hidden);
      EXPECT_LE(p.loss, before.loss);
      EXPECT_GE(fast.config.model.hidden, p.config.model.hidden);
      EXPECT_LE(fast.loss, p.loss);
      before = p;
    }
    EXPECT_GT(before.config.model.hidden, propose(facts_of(chars, 0.5)).config.model.hidden);
  }
}

TEST(Propose, IsTheBestOfAllSizes) {
  for (const double minutes : {0.5, 2.0, 10.0, 60.0}) {
    const ProposalFacts facts = facts_of(2'000'000, minutes);
    const double best = propose(facts).loss;
    for (std::size_t size = 0; size < network_sizes.size(); ++size) EXPECT_LE(best, propose(facts, size).loss);
  }
}

TEST(CommentedJson, ReadsBackAsTheSameConfig) {
  for (const std::int64_t chars : {std::int64_t{100}, std::int64_t{100'000}, std::int64_t{4'000'000'000}}) {
    const Proposal p = propose(facts_of(chars));
    const std::string text = commented_json(p, {"a heading", "of two lines"});
    EXPECT_EQ(text.rfind("// a heading\n// of two lines\n{", 0), 0U);
    EXPECT_EQ(to_json_text(config_from_json(text, "proposal")), to_json_text(p.config)) << text;
  }
}

}  // namespace
}  // namespace charnn::cli
