#include "extras/init/config_proposal.h"
#include "core/data/batcher.h"
#include "core/train/schedule.h"
#include "tests/support.h"

namespace charnn::cli {
namespace {

ProposalFacts facts_of(std::int64_t chars, double chars_per_second = 2e5) {
  return {.files = {"a \"text\".txt"}, .chars = chars, .minutes = 5, .chars_per_second = chars_per_second, .lr = 0.01};
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
    EXPECT_LE(p.config.train.eval_every, std::max<std::int64_t>(p.steps, 10)) << chars;
  }
  test::expect_contains(test::error_of([] { propose(facts_of(20)); }), "at least 24");
}

TEST(Propose, KeepsToItsTime) {
  for (const double speed : {1e3, 1e4, 1e5, 1e6})
    for (const std::int64_t chars : {1'000'000, 100'000'000}) {
      const Proposal p = propose(facts_of(chars, speed));
      EXPECT_LE(p.seconds, 300) << speed << " " << chars;
      EXPECT_TRUE(p.seconds > 150 || p.config.train.epochs > 1) << speed << " " << chars;
    }
  EXPECT_EQ(propose(facts_of(1'000'000'000)).config.train.epochs, 0);
  EXPECT_GT(propose(facts_of(1'000'000'000)).config.train.max_steps, 0);
}

TEST(Propose, TheNetworkDoesNotDependOnItsSpeed) {
  for (const std::int64_t chars : {1000, 100'000, 10'000'000}) {
    Config slow = propose(facts_of(chars, 0)).config, fast = propose(facts_of(chars, 1e7)).config;
    EXPECT_EQ(slow.model.hidden, fast.model.hidden);
    EXPECT_EQ(slow.model.dropout, fast.model.dropout);
    EXPECT_EQ(slow.train.batch_size, fast.train.batch_size);
  }
  EXPECT_GT(propose(facts_of(50'000)).config.model.dropout, propose(facts_of(50'000'000)).config.model.dropout);
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
