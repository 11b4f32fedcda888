#pragma once

#include <cmath>
#include <vector>
#include <gtest/gtest.h>

namespace charnn::test {

/// Draws 40,000 times and compares the counts with `expected` probabilities by a chi-square test; a symbol of
/// probability 0 must not occur. 1 in 1,000 right generators would fail (Wilson, Hilferty 1931, for the limit), but the
/// seeds are fixed.
template <class Draw>
void expect_distribution(const std::vector<double>& expected, Draw draw) {
  constexpr int draws = 40'000;
  std::vector<int> counts(expected.size());
  for (int i = 0; i < draws; ++i) ++counts.at(static_cast<std::size_t>(draw()));
  double chi_square = 0, freedom = -1;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == 0) {
      EXPECT_EQ(counts[i], 0) << i;
      continue;
    }
    const double mean = draws * expected[i];
    chi_square += (counts[i] - mean) * (counts[i] - mean) / mean;
    ++freedom;
  }
  if (freedom < 1) return;
  const double z = 3.09, part = 2 / (9 * freedom);
  EXPECT_LT(chi_square, freedom * std::pow(1 - part + z * std::sqrt(part), 3));
}

}  // namespace charnn::test
