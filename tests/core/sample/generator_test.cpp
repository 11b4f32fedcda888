#include "core/sample/generator.h"

#include <algorithm>
#include <memory>

#include <gtest/gtest.h>

namespace charnn {
namespace {

const Vocabulary alphabet(Tokens::chars, {U'a', U'b', U'c', U'd', U'e'});

std::shared_ptr<const Sampler> sampler(std::int64_t symbols, SampleConfig config = {.temperature = 1}) {
  const auto& all = alphabet.symbols();
  return std::make_shared<Sampler>(config, Vocabulary(Tokens::chars, {all.begin(), all.begin() + symbols}));
}

/// The whole text.
std::vector<std::int64_t> text_of(const Stepper& stepper, const std::vector<std::int64_t>& prompt,
                                  const std::vector<std::int64_t>& separator, std::int64_t length, std::uint64_t seed,
                                  std::size_t stop_after = 1000000) {
  std::vector<std::int64_t> ids;
  generate(stepper, separator, {prompt, sampler(stepper.vocabulary_size()), length, seed, [&](std::int64_t id) {
                                  ids.push_back(id);
                                  return ids.size() < stop_after;
                                }});
  return ids;
}

TEST(Generate, SameSeedSameSymbolsAndStopsWhenTold) {
  torch::manual_seed(1);
  const CharRnn model({.cell = Cell::gru, .layers = 1, .hidden = 8, .embedding = 4}, 3);
  const Stepper stepper(model);
  const auto text = [&](std::uint64_t seed, std::size_t stop_after) {
    return text_of(stepper, {}, {}, 50, seed, stop_after);
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

TEST(Generate, EveryDocumentBeginsAnew) {
  torch::manual_seed(3);
  const CharRnn model({.cell = Cell::lstm, .layers = 2, .hidden = 20, .embedding = 8}, 5);
  const Stepper stepper(model, StepWeights::fp32, 2);
  const std::vector<std::int64_t> separator{1, 0}, prompt{0, 3, 4, 1, 0, 2}, rest{0, 2};
  // What was before the separator in the prompt makes no difference, to none of three texts.
  std::vector<std::vector<std::int64_t>> long_texts(3), short_texts(3);
  for (auto [texts, begin] : {std::pair{&long_texts, &prompt}, std::pair{&short_texts, &rest}}) {
    Generator generator(stepper, separator);
    for (std::size_t i = 0; i < 3; ++i)
      generator.add(
          {*begin, sampler(5), 200, i, [&text = (*texts)[i]](std::int64_t id) { return text.push_back(id), true; }});
    while (!generator.idle()) generator.step();
  }
  EXPECT_EQ(long_texts[0].size(), 200U);
  EXPECT_EQ(long_texts, short_texts);
  // Nor does it in the text that is drawn: after a separator, logits are those of a fresh state.
  DocumentStarts starts(separator);
  StepState state = stepper.zero_state(1), fresh = stepper.zero_state(1);
  std::vector<float> logits, expected;
  stepper.step(fresh, 0, expected);
  const std::vector<std::int64_t> drawn = text_of(stepper, rest, separator, 200, 1);
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
  const std::int64_t first = [&] {
    std::int64_t drawn = -1;
    generate(stepper, {}, {prompt, sampler(3, {.temperature = 0}), 1, 1, [&](std::int64_t id) {
                             drawn = id;
                             return true;
                           }});
    return drawn;
  }();
  EXPECT_EQ(first, std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// A generator to which texts are added and from which they are taken.
class Together : public testing::Test {
 protected:
  static ModelConfig seeded() {
    torch::manual_seed(5);
    return {.cell = Cell::lstm, .layers = 2, .hidden = 24, .embedding = 8};
  }
  Together() : model_(seeded(), 5), stepper_(model_, StepWeights::fp32, 2), generator_(stepper_, {}) {}

  std::int64_t add(std::size_t place, std::vector<std::int64_t> prompt, std::int64_t length) {
    texts_.resize(std::max(texts_.size(), place + 1));
    return generator_.add({std::move(prompt), sampler(5), length, place, [this, place](std::int64_t id) {
                             texts_[place].push_back(id);
                             return true;
                           }});
  }

  CharRnn model_;
  Stepper stepper_;
  Generator generator_;
  std::vector<std::vector<std::int64_t>> texts_;
};

TEST_F(Together, EachTextIsThatOfItsSeedAloneWhoeverComesAndGoes) {
  add(0, {1, 2, 3}, 100);
  for (int i = 0; i < 20; ++i) generator_.step();
  add(1, {}, 30);
  add(2, {4, 4, 0, 1}, 100);
  for (int i = 0; i < 7; ++i) generator_.step();
  add(3, {0}, 200);
  std::vector<std::int64_t> ended;
  while (!generator_.idle())
    for (const std::int64_t number : generator_.step()) ended.push_back(number);
  EXPECT_EQ(ended, (std::vector<std::int64_t>{1, 0, 2, 3}));
  EXPECT_EQ(texts_[0], text_of(stepper_, {1, 2, 3}, {}, 100, 0));
  EXPECT_EQ(texts_[1], text_of(stepper_, {}, {}, 30, 1));
  EXPECT_EQ(texts_[2], text_of(stepper_, {4, 4, 0, 1}, {}, 100, 2));
  EXPECT_EQ(texts_[3], text_of(stepper_, {0}, {}, 200, 3));
}

TEST_F(Together, ATextCanBeCancelled) {
  const std::int64_t first = add(0, {1, 2, 3}, 100), second = add(1, {2}, 40);
  generator_.cancel(first);  // before it has begun
  for (int i = 0; i < 11; ++i) generator_.step();
  const std::int64_t third = add(2, {3, 3, 3, 3}, 10);
  generator_.cancel(third);
  generator_.cancel(99);
  while (!generator_.idle()) generator_.step();
  generator_.cancel(second);  // it has ended
  EXPECT_EQ(texts_[0].size(), 0U);
  EXPECT_EQ(texts_[2].size(), 0U);
  EXPECT_EQ(texts_[1], text_of(stepper_, {2}, {}, 40, 1));
}

TEST_F(Together, NothingToWrite) {
  add(0, {1, 2}, 0);
  add(1, {}, 0);
  add(2, {1}, 1);
  while (!generator_.idle()) generator_.step();
  EXPECT_EQ(texts_[0].size() + texts_[1].size(), 0U);
  EXPECT_EQ(texts_[2].size(), 1U);
}

}  // namespace
}  // namespace charnn
