#include "core/sample/filters.h"
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>
#include <gtest/gtest.h>
#include "tests/core/sample/chi_square.h"

namespace charnn {
namespace {

using Row = std::vector<double>;

std::vector<float> logs(const Row& p) {
  std::vector<float> row;
  for (const double value : p) row.push_back(static_cast<float>(std::log(value)));
  return row;
}

Row normal(Row p) {
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value /= sum;
  return p;
}

/// What a filter makes of p; checks the row against `expected`, and draws from it.
void expect_row(const Row& p, const std::function<void(LogRow)>& filter, const Row& expected) {
  std::vector<float> row = logs(p);
  filter(row);
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(std::exp(static_cast<double>(row[i])), expected[i], 2e-6) << i;
  Random random(7);
  test::expect_distribution(expected, [&] { return draw_from(row, random); });
}

/// Keeps what stands first in `order` until it has `share` together.
Row share_of(const Row& p, const std::vector<std::size_t>& order, double share) {
  Row kept(p.size(), 0);
  double sum = 0;
  for (const std::size_t i : order) {
    if (sum >= share) break;
    sum += kept[i] = p[i];
  }
  return normal(kept);
}

template <class Less>
std::vector<std::size_t> ordered(std::size_t n, Less less) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), less);
  return order;
}

const Row shares{0.08, 0.4, 0.02, 0.2, 0.1, 0.05, 0.15};

TEST(Filters, Normalize) {
  std::vector<float> row{700, 701, 699};
  normalize(row);
  const double sum = std::exp(0.0) + std::exp(1.0) + std::exp(-1.0);
  EXPECT_NEAR(row[1], 1 - std::log(sum), 1e-6);
  EXPECT_NEAR(std::exp(row[0]) + std::exp(row[1]) + std::exp(row[2]), 1, 1e-6);
}

TEST(Filters, Bias) {
  const std::vector<float> bias{0, -1, 0, 2, 0, 0, -INFINITY};
  Row expected = shares;
  for (std::size_t i = 0; i < shares.size(); ++i) expected[i] *= std::exp(static_cast<double>(bias[i]));
  expect_row(
      shares, [&](LogRow row) { add_bias(row, bias); }, normal(expected));
}

TEST(Filters, RepetitionPenalty) {
  const std::vector<std::int32_t> counts{0, 3, 0, 1, 0, 0, 0};
  Row expected = shares;
  expected[1] = std::pow(shares[1], 1.5), expected[3] = std::pow(shares[3], 1.5);
  expect_row(
      shares, [&](LogRow row) { penalize_repetition(row, counts, 1.5); }, normal(expected));
}

TEST(Filters, PenaltiesLeaveOutNothingAndBringNothingBack) {
  const std::vector<std::int32_t> counts{1, 1, 1, 1, 1, 1, 1};
  for (const double penalty : {0.01, 100.0}) {
    std::vector<float> row = logs({0.5, 0.5, 0, 0, 0, 0, 0});
    penalize_repetition(row, counts, penalty);
    EXPECT_NEAR(row[0], std::log(0.5), 1e-6);
    EXPECT_EQ(row[2], -INFINITY);
  }
}

TEST(Filters, FrequencyPenalty) {
  const std::vector<std::int32_t> counts{0, 3, 0, 1, 0, 0, 0};
  Row expected = shares;
  expected[1] *= std::exp(-1.2), expected[3] *= std::exp(-0.4);
  expect_row(
      shares, [&](LogRow row) { penalize_frequency(row, counts, 0.4); }, normal(expected));
}

TEST(Filters, Temperature) {
  for (const double temperature : {0.5, 1.7}) {
    Row expected;
    for (const double value : shares) expected.push_back(std::pow(value, 1 / temperature));
    expect_row(
        shares, [&](LogRow row) { apply_temperature(row, temperature); }, normal(expected));
  }
  expect_row(shares, [&](LogRow row) { apply_temperature(row, 1e-9); }, {0, 1, 0, 0, 0, 0, 0});
}

TEST(Filters, TopK) {
  const auto order = ordered(shares.size(), [](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
  for (const std::int64_t k : {1, 3, 6, 7, 100}) {
    Row expected(shares.size(), 0);
    for (std::size_t i = 0; i < std::min<std::size_t>(static_cast<std::size_t>(k), shares.size()); ++i)
      expected[order[i]] = shares[order[i]];
    expect_row(
        shares, [&](LogRow row) { keep_top_k(row, k); }, normal(expected));
  }
  expect_row({0.25, 0.25, 0.25, 0.25}, [](LogRow row) { keep_top_k(row, 2); }, {0.5, 0.5, 0, 0});
}

TEST(Filters, TopP) {
  const auto order = ordered(shares.size(), [](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
  for (const double share : {0.01, 0.39, 0.41, 0.76, 0.99, 1.0})
    expect_row(
        shares, [&](LogRow row) { keep_top_p(row, share); }, share_of(shares, order, share));
}

TEST(Filters, MinP) {
  expect_row(
      shares, [](LogRow row) { keep_min_p(row, 0.24); }, normal({0, 0.4, 0, 0.2, 0.1, 0, 0.15}));
  expect_row(shares, [](LogRow row) { keep_min_p(row, 1); }, {0, 1, 0, 0, 0, 0, 0});
}

TEST(Filters, Typical) {
  double entropy = 0;
  for (const double value : shares) entropy -= value * std::log(value);
  const auto distance = [&](std::size_t i) { return std::abs(-std::log(shares[i]) - entropy); };
  const auto order = ordered(shares.size(), [&](std::size_t a, std::size_t b) { return distance(a) < distance(b); });
  EXPECT_NE(order[0], 1U) << "the likeliest is not the most typical here";
  for (const double share : {0.01, 0.3, 0.6, 0.95})
    expect_row(
        shares, [&](LogRow row) { keep_typical(row, share); }, share_of(shares, order, share));
}

TEST(Filters, OneAfterTheOther) {
  // Each works on what the one before has left, which adds up to 1 again.
  const auto filter = [](LogRow row) {
    keep_top_k(row, 4);     // 0.4 0.2 0.15 0.1 of 0.85
    keep_top_p(row, 0.71);  // 0.471 + 0.235 = 0.706, and the next
    keep_min_p(row, 0.4);   // 0.15 is below 0.4 x 0.4
  };
  expect_row(shares, filter, normal({0, 0.4, 0, 0.2, 0, 0, 0}));
}

TEST(Filters, WhatIsExcludedStaysSo) {
  const auto filter = [](LogRow row) {
    keep_top_k(row, 2);
    apply_temperature(row, 50);
    keep_typical(row, 1);
    keep_top_p(row, 1);
  };
  std::vector<float> row = logs(shares);
  filter(row);
  for (const std::size_t i : {0U, 2U, 4U, 5U, 6U}) EXPECT_EQ(row[i], -INFINITY);
}

TEST(Filters, DrawNeverTakesWhatCannotBe) {
  std::vector<float> row(100, -INFINITY);
  row[50] = 0;
  Random random(1);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(draw_from(row, random), 50);
}

}  // namespace
}  // namespace charnn
