// Texts that a generator writes side by side.
#include "core/sample/stops.h"
#include "tests/core/sample/texts.h"

namespace charnn {
namespace {

using test::alone;
using test::alphabet;
using test::Ids;
using test::job;
using test::Written;

/// A generator to which texts are added and from which they are taken.
class Together : public testing::Test {
 protected:
  std::int64_t add(std::size_t place, Ids prompt, std::int64_t length) {
    return generator_.add(job(std::move(prompt), length, place, texts_[place]));
  }
  Ids run() {  // the numbers of the texts, as they end
    Ids ended;
    while (!generator_.idle())
      for (const auto& [number, end] : generator_.step()) {
        EXPECT_EQ(end, TextEnd::length);
        ended.push_back(number);
      }
    return ended;
  }

  Stepper stepper_ =
      test::random_stepper({.cell = Cell::lstm, .layers = 2, .hidden = 24, .embedding = 8}, 5, 5, 2, /*scale=*/3);
  Generator generator_{stepper_, alphabet, {}};
  std::vector<Written> texts_{40};
};

TEST_F(Together, EachTextIsThatOfItsSeedAloneWhoeverComesAndGoes) {
  add(0, {1, 2, 3}, 100);
  for (int i = 0; i < 20; ++i) generator_.step();
  add(1, {}, 30);
  add(2, {4, 4, 0, 1}, 100);
  for (int i = 0; i < 7; ++i) generator_.step();
  add(3, {0}, 200);
  EXPECT_EQ(run(), (Ids{1, 0, 2, 3}));
  EXPECT_EQ(texts_[0].ids, alone(stepper_, {1, 2, 3}, 100, 0));
  EXPECT_EQ(texts_[1].ids, alone(stepper_, {}, 30, 1));
  EXPECT_EQ(texts_[2].ids, alone(stepper_, {4, 4, 0, 1}, 100, 2));
  EXPECT_EQ(texts_[3].ids, alone(stepper_, {0}, 200, 3));
}

TEST_F(Together, ManyTextsAreThoseOfTheirSeedsAlone) {
  const auto prompt_of = [](std::size_t i) { return Ids(i % 7, static_cast<std::int64_t>(i % 5)); };
  const auto length_of = [](std::size_t i) { return static_cast<std::int64_t>(5 + 13 * i % 40); };
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    add(i, prompt_of(i), length_of(i));
    if (i >= 30) generator_.step();  // while the last ones come, others go
  }
  run();
  for (std::size_t i = 0; i < texts_.size(); ++i)
    EXPECT_EQ(texts_[i].ids, alone(stepper_, prompt_of(i), length_of(i), i)) << i;
}

TEST_F(Together, ATextCanBeCancelled) {
  const std::int64_t first = add(0, {1, 2, 3}, 100), second = add(1, {2}, 40);
  generator_.cancel(first);  // before it has begun
  for (int i = 0; i < 11; ++i) generator_.step();
  const std::int64_t third = add(2, {3, 3, 3, 3}, 10);
  generator_.cancel(third);
  generator_.cancel(99);
  EXPECT_EQ(run(), Ids{second});
  generator_.cancel(second);  // it has ended
  EXPECT_TRUE(texts_[0].pieces.empty());
  EXPECT_TRUE(texts_[2].pieces.empty());
  EXPECT_EQ(texts_[1].ids, alone(stepper_, {2}, 40, 1));
}

TEST_F(Together, TheOthersGoOnWithoutThoseThatAreCancelled) {
  for (std::size_t i = 0; i < 10; ++i) add(i, Ids(1, static_cast<std::int64_t>(i % 5)), 100);
  for (std::int64_t number = 0; number < 8; ++number) {
    for (int i = 0; i < 6; ++i) generator_.step();
    generator_.cancel(number);
  }
  EXPECT_EQ(run(), (Ids{8, 9}));
  for (std::size_t i = 0; i < 10; ++i) {
    const auto drawn = static_cast<std::int64_t>(6 * (i + 1) - 1);  // the first step read the prompt
    EXPECT_EQ(texts_[i].ids, alone(stepper_, Ids(1, static_cast<std::int64_t>(i % 5)), i < 8 ? drawn : 100, i)) << i;
  }
}

TEST_F(Together, NothingToWrite) {
  add(0, {1, 2}, 0);
  add(1, {}, 0);
  add(2, {1}, 1);
  EXPECT_EQ(run().size(), 3U);
  EXPECT_TRUE(texts_[0].pieces.empty());
  EXPECT_TRUE(texts_[1].pieces.empty());
  EXPECT_EQ(texts_[2].ids.size(), 1U);
}

TEST(Documents, EachBeginsAnew) {
  const ModelConfig config{.cell = Cell::lstm, .layers = 2, .hidden = 20, .embedding = 8};
  Stepper stepper = test::random_stepper(config, 5, 3, /*threads=*/2, /*scale=*/3);  // what came before matters
  const Ids separator{1, 0}, prompt{0, 3, 4, 1, 0, 2}, rest{0, 2};
  // What was before the separator in the prompt makes no difference, to none of three texts.
  std::vector<Written> long_texts(3), short_texts(3), undivided(3);
  const auto write = [&](std::vector<Written>& texts, const Ids& begin, const Ids& divided_by) {
    Generator generator(stepper, alphabet, divided_by);
    for (std::size_t i = 0; i < 3; ++i) generator.add(job(begin, 200, i, texts[i]));
    while (!generator.idle()) generator.step();
  };
  write(long_texts, prompt, separator);
  write(short_texts, rest, separator);
  write(undivided, prompt, {});
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(long_texts[i].ids.size(), 200U);
    EXPECT_EQ(long_texts[i].ids, short_texts[i].ids);
    EXPECT_NE(long_texts[i].ids, undivided[i].ids) << "or this test would say nothing";
  }
  // Nor does it in the text that is drawn: each symbol comes from a state that begins anew with every document.
  const Ids drawn = alone(stepper, rest, 200, 1, separator);
  DocumentStarts starts(separator);
  State state = stepper.zero_state();
  std::vector<float> logits;
  const auto read = [&](std::int64_t id) {
    const bool starts_here = starts.at(id);
    if (starts_here) state.clear(0);
    stepper.step(state, {&id, 1}, logits);
    return starts_here;
  };
  for (const std::int64_t id : rest) read(id);
  Random random(1);
  int seen = 0;
  for (const std::int64_t id : drawn) {
    ASSERT_EQ(id, draw(logits, 1, random));
    if (!read(id)) continue;
    State fresh = stepper.zero_state();
    std::vector<float> expected;
    stepper.step(fresh, {&id, 1}, expected);
    EXPECT_EQ(logits, expected);
    ++seen;
  }
  EXPECT_GT(seen, 1);
}

}  // namespace
}  // namespace charnn
