#include "core/sample/beam_search.h"
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include "core/sample/filters.h"
#include "tests/core/sample/steppers.h"

namespace charnn {
namespace {

using Ids = std::vector<std::int64_t>;
const Vocabulary abc(Tokens::chars, {U'a', U'b', U'c'});

class BeamSearch : public testing::Test {
 protected:
  /// -log p of a text after the prompt, step by step.
  double nats(const Ids& prompt, const Ids& text) {
    State state = stepper_.zero_state();
    std::vector<float> row;
    double sum = 0;
    for (const std::int64_t id : prompt) stepper_.step(state, {&id, 1}, row);
    for (const std::int64_t id : text) {
      normalize(row);
      sum -= static_cast<double>(row[static_cast<std::size_t>(id)]);
      stepper_.step(state, {&id, 1}, row);
    }
    return sum;
  }

  BeamText search(std::int64_t beams, std::int64_t length, const std::vector<Ids>& stops = {}) {
    SampleConfig config{.length = length};
    config.beams = beams;
    return beam_search(stepper_, prompt_, {}, stops, Sampler(config, abc), [] { return true; });
  }

  const Ids prompt_{0, 2};
  // Of weights large enough to have opinions.
  Stepper stepper_ =
      test::random_stepper({.cell = Cell::gru, .layers = 1, .hidden = 8, .embedding = 4}, 3, 2, 1, /*scale=*/3);
};

TEST_F(BeamSearch, WideEnoughItFindsTheLikeliestText) {
  constexpr std::int64_t length = 5;
  Ids best;
  double fewest = INFINITY;
  for (std::int64_t number = 0; number < 243; ++number) {
    Ids text;
    for (std::int64_t i = 0, rest = number; i < length; ++i, rest /= 3) text.push_back(rest % 3);
    if (const double n = nats(prompt_, text); n < fewest) fewest = n, best = text;
  }
  const BeamText found = search(243, length);
  EXPECT_EQ(found.ids, best);
  EXPECT_NEAR(found.nats, fewest, 1e-4);
  EXPECT_FALSE(found.stopped);
}

TEST_F(BeamSearch, NotWorseThanTheGreedyTextHere) {
  const BeamText narrow = search(2, 30), wide = search(8, 30);
  State state = stepper_.zero_state();
  std::vector<float> row;
  Ids greedy;
  for (const std::int64_t id : prompt_) stepper_.step(state, {&id, 1}, row);
  while (greedy.size() < 30) {
    greedy.push_back(likeliest(row));
    stepper_.step(state, {&greedy.back(), 1}, row);
  }
  EXPECT_NEAR(wide.nats, nats(prompt_, wide.ids), 1e-3) << "what it says of its text is true";
  EXPECT_LE(narrow.nats, nats(prompt_, greedy) + 1e-3);
  EXPECT_LE(wide.nats, narrow.nats + 1e-3);
  EXPECT_EQ(search(8, 30).ids, wide.ids) << "the same each time";
}

TEST_F(BeamSearch, EndsAtAStopAndLeavesItOut) {
  const BeamText free = search(4, 20);
  ASSERT_EQ(free.ids.size(), 20U);
  // Of one beam alone the text is the greedy one up to the stop, which must come.
  const BeamText narrow = search(1, 20), text = search(1, 20, {{narrow.ids[10], narrow.ids[11], narrow.ids[12]}});
  EXPECT_TRUE(text.stopped);
  ASSERT_LE(text.ids.size(), 10U);
  EXPECT_TRUE(std::equal(text.ids.begin(), text.ids.end(), narrow.ids.begin()));
  EXPECT_NEAR(
      text.nats,
      nats(prompt_, {narrow.ids.begin(), narrow.ids.begin() + static_cast<std::ptrdiff_t>(text.ids.size()) + 3}), 1e-3)
      << "the stop's symbols count";
  EXPECT_TRUE(search(1024, 4, {{0}, {1}, {2}}).stopped) << "whatever comes is a stop";
}

}  // namespace
}  // namespace charnn
