#include "core/sample/sampler.h"
#include <cmath>
#include <gtest/gtest.h>
#include "core/sample/filters.h"
#include "tests/core/sample/chi_square.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

const Vocabulary five_symbols(Tokens::chars, {U'=', U'a', U'b', U'c', U'd'});
const std::vector<float> five_logits{0.5F, 2, 1, 0, -1};

std::vector<double> softmax(const std::vector<double>& x) {
  double sum = 0;
  std::vector<double> p;
  for (const double value : x) p.push_back(std::exp(value)), sum += p.back();
  for (double& value : p) value /= sum;
  return p;
}

TEST(Draw, TemperatureZeroTakesTheFirstLargest) {
  Random random(1);
  const std::vector<float> equals{1, 3, 3, 2};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(draw(equals, 0, random), 1);
}

TEST(Draw, FollowsTheSoftmax) {
  for (const double temperature : {0.5, 1.0, 2.0}) {
    std::vector<double> scaled(five_logits.begin(), five_logits.end());
    for (double& logit : scaled) logit /= temperature;
    Random random(42);
    test::expect_distribution(softmax(scaled), [&] { return draw(five_logits, temperature, random); });
  }
}

TEST(Draw, BearsHugeLogitsAndTinyTemperatures) {
  Random random(1);
  EXPECT_EQ(draw(std::vector<float>{1e30F, -1e30F, 0}, 1e-3, random), 0);
  EXPECT_EQ(draw(std::vector<float>{-1e30F, -1e30F}, 1, random) / 2, 0);
}

TEST(Sampler, PutsTheFiltersInOrder) {
  const SampleConfig config{.temperature = 2,
                            .top_k = 3,
                            .top_p = 0.7,
                            .repetition_penalty = 1.5,
                            .frequency_penalty = 0.3,
                            .bias = {"d=3", "b=-0.5"},
                            .only = "abd="};
  const Sampler sampler(config, five_symbols);
  RecentSymbols recent = sampler.no_symbols_yet();
  for (const std::int64_t id : {1, 1, 4}) recent.add(id);
  // log p + bias, c left out, normalised: then the penalties on a (twice) and d (once), then the temperature.
  std::vector<double> x{0.5, 2, 0.5, -HUGE_VAL, 2};
  double log_sum = 0;
  for (const double value : x) log_sum += std::exp(value);
  for (double& value : x) value -= std::log(log_sum);
  x[1] *= 1.5, x[4] *= 1.5;
  log_sum = 0;
  for (const double value : x) log_sum += std::exp(value);
  for (double& value : x) value -= std::log(log_sum);
  x[1] -= 0.6, x[4] -= 0.3;
  for (double& value : x) value /= 2;
  std::vector<double> p = softmax(x);
  // Of d, b = =, a: three are kept, of which the first two have less than 0.7; equals go by their number.
  std::vector<std::size_t> order{0, 1, 2, 3, 4};
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
  double three = 0, sum = 0;
  for (std::size_t i = 0; i < 3; ++i) three += p[order[i]];
  std::vector<double> expected(5, 0);
  for (std::size_t i = 0; i < 3 && sum / three < 0.7; ++i) sum += expected[order[i]] = p[order[i]];
  for (double& value : expected) value /= sum;
  Random random(3);
  test::expect_distribution(expected, [&] { return sampler(five_logits, recent, random); });
}

TEST(Sampler, WithoutFiltersItIsThePlainDraw) {
  const Sampler plain({.temperature = 0.7}, five_symbols),
      filtered({.temperature = 0.7, .top_k = 5, .min_p = 1e-9}, five_symbols);
  Random a(5), b(5), c(5);
  const RecentSymbols none = plain.no_symbols_yet();
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto expected = draw(five_logits, 0.7, a);
    EXPECT_EQ(plain(five_logits, none, b), expected);
    same += filtered(five_logits, none, c) == expected ? 1 : 0;
  }
  EXPECT_GT(same, 990) << "the same numbers draw the same symbols, but for rounding";
}

TEST(Sampler, TemperatureZeroTakesTheLikeliestAfterThePenalties) {
  const Sampler sampler({.temperature = 0, .repetition_penalty = 9, .bias = {"b=-9"}}, five_symbols);
  RecentSymbols recent = sampler.no_symbols_yet();
  Random random(1);
  EXPECT_EQ(sampler(five_logits, recent, random), 1);
  recent.add(1);
  EXPECT_EQ(sampler(five_logits, recent, random), 0);
}

TEST(Sampler, PenaltiesLookBackAsFarAsTheyAreTold) {
  const Sampler sampler({.frequency_penalty = 1, .penalty_window = 3}, five_symbols);
  RecentSymbols recent = sampler.no_symbols_yet();
  for (const std::int64_t id : {1, 1, 2, 1, 4}) recent.add(id);
  const std::vector<std::int32_t> counts(recent.counts().begin(), recent.counts().end());
  EXPECT_EQ(counts, (std::vector<std::int32_t>{0, 1, 1, 0, 1}));
}

TEST(Sampler, RefusesWhatCannotBe) {
  const auto refusal = [](const SampleConfig& config) { return error_of([&] { Sampler(config, five_symbols); }); };
  for (const char* bias : {"", "a", "a2", "a=", "a=x", "a=1x", "a=nan", "ab=1", "a=inf", "a=+-1", "a=1001", "a=-1001"})
    expect_contains(refusal({.bias = {bias}}), "sample.bias");
  expect_contains(refusal({.bias = {"x=1"}}), "vocabulary lacks");
  expect_contains(refusal({.only = "abx"}), "sample.only has a character");
  expect_contains(refusal({.bias = {"a=-inf"}, .only = "a"}), "rule out every character");
  EXPECT_NO_THROW(Sampler({.bias = {"==+1.5", "a=-inf", "b=1e-3"}}, five_symbols));
}

}  // namespace
}  // namespace charnn
