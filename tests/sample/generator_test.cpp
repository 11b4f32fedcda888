#include "charnn/sample/generator.h"

#include <cmath>

#include <gtest/gtest.h>

namespace charnn {
namespace {

TEST(Draw, TemperatureZeroTakesTheFirstLargest) {
  Random random(1);
  const std::vector<float> logits{1, 3, 3, 2};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(draw(logits, 0, random), 1);
}

/// Chi-square test of 40,000 draws against softmax(logits / temperature); 3 degrees of freedom, 16.27 is p =
/// 0.001.
TEST(Draw, FollowsTheSoftmax) {
  const std::vector<float> logits{0.0F, 1.0F, -0.5F, 2.0F};
  for (const double temperature : {0.5, 1.0, 2.0}) {
    Random random(42);
    std::vector<double> expected(4), counts(4, 0);
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i)
      sum += expected[i] = std::exp(static_cast<double>(logits[i]) / temperature);
    constexpr int draws = 40000;
    for (int i = 0; i < draws; ++i) ++counts[static_cast<std::size_t>(draw(logits, temperature, random))];
    double chi_square = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const double mean = draws * expected[i] / sum;
      chi_square += (counts[i] - mean) * (counts[i] - mean) / mean;
    }
    EXPECT_LT(chi_square, 16.27) << temperature;
  }
}

TEST(Draw, BearsHugeLogitsAndTinyTemperatures) {
  Random random(1);
  EXPECT_EQ(draw(std::vector<float>{1e30F, -1e30F, 0}, 1e-3, random), 0);
  EXPECT_EQ(draw(std::vector<float>{-1e30F, -1e30F}, 1, random) / 2, 0);
}

TEST(Generate, SameSeedSameSymbolsAndStopsWhenTold) {
  torch::manual_seed(1);
  const CharRnn model({.cell = Cell::gru, .layers = 1, .hidden = 8, .embedding = 4}, 3);
  const Stepper stepper(model);
  const auto text = [&](std::uint64_t seed, std::size_t stop_after) {
    std::vector<std::int64_t> ids;
    generate(stepper, {}, {}, {.temperature = 1, .length = 50}, seed, [&](std::int64_t id) {
      ids.push_back(id);
      return ids.size() < stop_after;
    });
    return ids;
  };
  EXPECT_EQ(text(5, 100), text(5, 100));
  EXPECT_EQ(text(5, 100).size(), 50U);
  EXPECT_NE(text(5, 100), text(6, 100));
  EXPECT_EQ(text(5, 7).size(), 7U);
}

TEST(Generate, WithoutAPromptItBeginsAsADocumentOrALineDoes) {
  const Vocabulary letters(Tokens::chars, {U'a', U'b', U'c'}), lines(Tokens::chars, {U'\n', U'a', U'b'});
  EXPECT_EQ(beginning(letters, ""), std::vector<std::int64_t>());
  EXPECT_EQ(beginning(lines, ""), std::vector<std::int64_t>{0});
  EXPECT_EQ(beginning(lines, "ab"), std::vector<std::int64_t>{2});
}

TEST(UntilSeparator, EndsThereAndLeavesItOut) {
  const auto shown = [](const std::vector<std::int64_t>& separator, const std::vector<std::int64_t>& text) {
    UntilSeparator until(separator);
    std::vector<std::int64_t> all;
    for (const std::int64_t id : text)
      for (const std::int64_t now : until.add(id)) all.push_back(now);
    const bool ended = until.ended();
    for (const std::int64_t now : until.rest()) all.push_back(now);
    all.push_back(ended ? -1 : -2);
    return all;
  };
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(shown({}, {1, 2, 3}), (Ids{1, 2, 3, -2}));
  EXPECT_EQ(shown({7}, {1, 7, 3}), (Ids{1, -1}));
  EXPECT_EQ(shown({7, 7}, {1, 7, 2, 7, 7, 3}), (Ids{1, 7, 2, -1}));
  EXPECT_EQ(shown({7, 7, 8}, {7, 7, 7, 8, 5}), (Ids{7, -1}))
      << "the separator begins within its own beginning";
  EXPECT_EQ(shown({7, 8}, {1, 7}), (Ids{1, 7, -2})) << "what waited belongs to the text";
  UntilSeparator until({7, 8});
  EXPECT_EQ(until.add(1), Ids{1});
  EXPECT_EQ(until.add(7), Ids{}) << "it may be the separator's beginning";
  EXPECT_EQ(until.add(1), (Ids{7, 1}));
}

TEST(Generate, EveryDocumentBeginsAnew) {
  torch::manual_seed(3);
  const CharRnn model({.cell = Cell::lstm, .layers = 2, .hidden = 20, .embedding = 8}, 5);
  const Stepper stepper(model, StepWeights::fp32, 2);
  const std::vector<std::int64_t> separator{1, 0}, prompt{0, 3, 4, 1, 0, 2}, rest{0, 2};
  // What was before the separator in the prompt makes no difference, to none of three texts.
  std::vector<std::vector<std::int64_t>> long_texts(3), short_texts(3);
  const std::vector<std::uint64_t> seeds{1, 2, 3};
  for (auto [texts, begin] : {std::pair{&long_texts, &prompt}, std::pair{&short_texts, &rest}})
    generate(stepper, *begin, separator, {.temperature = 1, .length = 200}, seeds,
             [texts = texts](std::size_t i, std::int64_t id) { return (*texts)[i].push_back(id), true; });
  EXPECT_EQ(long_texts, short_texts);
  // Nor does it in the text that is drawn: after a separator, logits are those of a fresh state.
  DocumentStarts starts(separator);
  StepState state = stepper.zero_state(1), fresh = stepper.zero_state(1);
  std::vector<float> logits, expected;
  stepper.step(fresh, 0, expected);
  std::vector<std::int64_t> drawn;
  generate(stepper, rest, separator, {.temperature = 1, .length = 200}, 1,
           [&](std::int64_t id) { return drawn.push_back(id), true; });
  int seen = 0;
  for (const std::int64_t id : drawn) {
    if (starts.at(id)) {
      state.clear(0);
      stepper.step(state, id, logits);
      EXPECT_EQ(logits, expected);
      ++seen;
    } else {
      stepper.step(state, id, logits);
    }
  }
  EXPECT_GT(seen, 1);
}

TEST(Generate, ThePromptConditionsTheState) {
  torch::manual_seed(1);
  const CharRnn model({.cell = Cell::lstm, .layers = 1, .hidden = 8, .embedding = 4}, 3);
  const Stepper stepper(model);
  const std::vector<std::int64_t> prompt{0, 2, 1};
  // Greedy text from the prompt is the argmax of the logits after stepping through it.
  std::vector<float> logits;
  StepState state = stepper.zero_state();
  for (const std::int64_t id : prompt) stepper.step(state, id, logits);
  std::int64_t first = -1;
  generate(stepper, prompt, {}, {.temperature = 0, .length = 1}, 1, [&](std::int64_t id) {
    first = id;
    return true;
  });
  EXPECT_EQ(first, std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace
}  // namespace charnn
