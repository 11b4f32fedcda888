#include "core/sample/generator.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>
#include "core/sample/filters.h"
#include "tests/core/sample/texts.h"

namespace charnn {
namespace {

using test::alone;
using test::alphabet;
using test::Ids;
using test::job;
using test::sampler;
using test::Written;

class Generate : public testing::Test {
 protected:
  Stepper stepper_ =
      test::random_stepper({.cell = Cell::gru, .layers = 1, .hidden = 8, .embedding = 4}, 5, 1, 1, /*scale=*/3);
  Generator generator_{stepper_, alphabet, {}};
  Written written_;
};

TEST_F(Generate, SameSeedSameSymbolsAndEndsWhenTold) {
  EXPECT_EQ(alone(stepper_, {}, 50, 5), alone(stepper_, {}, 50, 5));
  EXPECT_EQ(alone(stepper_, {}, 50, 5).size(), 50U);
  EXPECT_NE(alone(stepper_, {}, 50, 5), alone(stepper_, {}, 50, 6));
  written_.most_pieces = 7;
  EXPECT_EQ(generate(generator_, job({}, 50, 5, written_)), TextEnd::cancelled);
  EXPECT_EQ(written_.ids, alone(stepper_, {}, 7, 5));
  EXPECT_TRUE(generator_.idle());
}

TEST_F(Generate, HandsOutTheTextOfItsSymbols) {
  generate(generator_, job({}, 50, 5, written_));
  std::string expected;
  for (const std::int64_t id : written_.ids) expected += alphabet.text(id);
  EXPECT_EQ(written_.text, expected);
  EXPECT_NE(expected.find("é"), std::string::npos);
  EXPECT_EQ(written_.pieces.size(), 50U) << "each at once";
}

TEST_F(Generate, IsAskedBeforeEverySymbolWhetherToGoOn) {
  int left = 3 + 5;  // of the prompt and of the text
  EXPECT_EQ(generate(generator_, job({0, 1, 2}, 50, 5, written_), [&] { return left-- > 0; }), TextEnd::cancelled);
  EXPECT_EQ(written_.ids, alone(stepper_, {0, 1, 2}, 5, 5));
  EXPECT_TRUE(generator_.idle());
}

TEST_F(Generate, SeveralNetworksDrawFromTheMeanOfTheirProbabilities) {
  Stepper other =
      test::random_stepper({.cell = Cell::lstm, .layers = 1, .hidden = 6, .embedding = 3}, 5, 1, 3, /*scale=*/8);
  const auto log_probabilities = [](Stepper& stepper, const Ids& text) {
    State state = stepper.zero_state();
    std::vector<float> logits;
    for (const std::int64_t id : text) stepper.step(state, {&id, 1}, logits);
    normalize(logits);
    return logits;
  };
  Ids expected{0, 1};  // the likeliest symbol, again and again
  for (int i = 0; i < 30; ++i) {
    const auto a = log_probabilities(stepper_, expected), b = log_probabilities(other, expected);
    std::vector<float> sum;
    for (std::size_t v = 0; v < a.size(); ++v) sum.push_back(std::exp(a[v]) + std::exp(b[v]));
    expected.push_back(std::max_element(sum.begin(), sum.end()) - sum.begin());
  }
  Generator both(stepper_, alphabet, {}, {&other});
  TextJob greedy = job({0, 1}, 30, 5, written_);
  greedy.sampler = sampler({.temperature = 0});
  generate(both, greedy);
  EXPECT_EQ(written_.ids, Ids(expected.begin() + 2, expected.end()));
  Written of_one;
  greedy.on_text = of_one.writer();
  generate(generator_, greedy);
  EXPECT_NE(of_one.ids, written_.ids) << "else nothing is tested";
}

TEST_F(Generate, EndsBeforeItsFirstStop) {
  const Ids free = alone(stepper_, {}, 200, 3);
  const Ids stop(free.begin() + 100, free.begin() + 103);
  const auto first = std::search(free.begin(), free.end(), stop.begin(), stop.end());
  TextJob asked = job({}, 200, 3, written_);
  asked.stops = {{0, 1, 2, 3, 4, 0, 1, 2, 3, 4}, stop};
  EXPECT_EQ(generate(generator_, asked), TextEnd::stop);
  EXPECT_EQ(written_.ids, Ids(free.begin(), first));
}

TEST_F(Generate, AStopInThePromptEndsNothing) {
  const Ids free = alone(stepper_, {4, 4, 4, 4}, 9, 3);
  TextJob asked = job({4, 4, 4, 4}, 9, 3, written_);
  asked.stops = {{4, 4, 4, 4}};
  EXPECT_EQ(generate(generator_, asked), TextEnd::length);
  EXPECT_EQ(written_.ids, free);
}

TEST_F(Generate, WhatMayBeginAStopWaitsUntilTheEnd) {
  const Ids free = alone(stepper_, {}, 20, 3);
  TextJob asked = job({}, 20, 3, written_);
  asked.stops = {Ids(free.begin() + 10, free.end())};
  asked.stops[0].push_back(0);
  std::vector<std::size_t> sizes;
  asked.on_text = [&](const TextPiece& piece) {
    sizes.push_back(piece.ids.size());
    return written_.writer()(piece);
  };
  EXPECT_EQ(generate(generator_, asked), TextEnd::length);
  EXPECT_EQ(written_.ids, free);
  EXPECT_EQ(sizes.back(), 10U);
}

TEST_F(Generate, HandsOutWhatWaitsWhenItIsCancelledOrOutOfTime) {
  TextJob asked = job({}, 1000, 1, written_);
  asked.sampler = sampler({.only = "a"});
  asked.stops = {Ids(100, 0)};
  asked.max_seconds = 0.5;
  const std::int64_t cancelled = generator_.add(asked), late = generator_.add(asked);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(generator_.step().empty());
  EXPECT_TRUE(written_.ids.empty());
  generator_.cancel(cancelled);
  EXPECT_EQ(written_.text, "aaaaa");
  std::this_thread::sleep_for(std::chrono::milliseconds(550));
  const auto ended = generator_.step();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].number, late);
  EXPECT_EQ(ended[0].end, TextEnd::time);
  EXPECT_EQ(written_.text, "aaaaaaaaaa");
  EXPECT_TRUE(generator_.idle());
}

TEST_F(Generate, ItsTimeIncludesThatOfThePrompt) {
  Written other;
  TextJob asked = job({0, 1, 2}, 50, 5, written_);
  asked.max_seconds = 1e-9;
  const std::int64_t late = generator_.add(asked);
  const std::int64_t unhurried = generator_.add(job({0, 1, 2}, 50, 5, other));
  const auto ended = generator_.step();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].number, late);
  EXPECT_EQ(ended[0].end, TextEnd::time);
  EXPECT_TRUE(written_.pieces.empty());
  asked = job({}, 50, 5, written_);
  asked.max_seconds = 3600;
  EXPECT_EQ(generate(generator_, asked), TextEnd::length);
  while (!generator_.idle())
    for (const Generator::Ended& end : generator_.step()) EXPECT_EQ(end.number, unhurried);
  EXPECT_EQ(other.ids, alone(stepper_, {0, 1, 2}, 50, 5));
}

TEST(GenerateBytes, HandsOutWholeCharacters) {
  const Vocabulary bytes = Vocabulary::all_bytes();
  Stepper stepper = test::spelling_stepper("aé€😀");
  Generator generator(stepper, bytes, {});
  const auto end_of = [&](Written& written, std::int64_t length, std::vector<Ids> stops = {}) {
    TextJob asked = job({'a'}, length, 1, written);
    asked.sampler = sampler({.temperature = 0}, bytes);
    asked.stops = std::move(stops);
    return generate(generator, asked);
  };
  using Pieces = std::vector<std::string>;
  Written whole;
  EXPECT_EQ(end_of(whole, 11), TextEnd::length);
  EXPECT_EQ(whole.text, "é€😀a\xc3");
  EXPECT_EQ(whole.ids.size(), 11U) << "symbols are told at once";
  EXPECT_EQ(whole.pieces, (Pieces{"", "é", "", "", "€", "", "", "", "😀", "a", "", "\xc3"}))
      << "but for the end, where the rest of it will not come";
  Written stopped;
  EXPECT_EQ(end_of(stopped, 100, {{0xac}}), TextEnd::stop);
  EXPECT_EQ(stopped.pieces, (Pieces{"", "é", "", "", "\xe2\x82"}));
}

TEST(Beginning, WithoutAPromptATextBeginsAsADocumentOrALineDoes) {
  const Vocabulary letters(Tokens::chars, {U'a', U'b', U'c'}), lines(Tokens::chars, {U'\n', U'a', U'b'});
  EXPECT_EQ(beginning(letters, "", {}), Ids());
  EXPECT_EQ(beginning(lines, "", {}), Ids{0});
  EXPECT_EQ(beginning(lines, "", {1, 0}), (Ids{1, 0}));
  EXPECT_EQ(beginning(lines, "ab", {1, 0}), Ids{2});
}

TEST_F(Generate, ThePromptConditionsTheState) {
  const Ids prompt{0, 2, 1};
  // Greedy text from the prompt is the argmax of the logits after stepping through it.
  std::vector<float> logits;
  State state = stepper_.zero_state();
  for (const std::int64_t id : prompt) stepper_.step(state, {&id, 1}, logits);
  TextJob asked = job(prompt, 1, 1, written_);
  asked.sampler = sampler({.temperature = 0});
  generate(generator_, asked);
  EXPECT_EQ(written_.ids, Ids{std::max_element(logits.begin(), logits.end()) - logits.begin()});
}

TEST_F(Generate, PenaltiesCountThePromptAndTheText) {
  TextJob asked = job({2, 0, 3, 1}, 10, 1, written_);
  asked.sampler = sampler({.temperature = 1, .frequency_penalty = 100, .penalty_window = 4});
  generate(generator_, asked);
  EXPECT_EQ(written_.ids, (Ids{4, 2, 0, 3, 1, 4, 2, 0, 3, 1})) << "always the one that is not among the latest four";
}

}  // namespace
}  // namespace charnn
