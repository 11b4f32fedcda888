#include "core/sample/filters.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>
#include "kernels/elementwise.h"

namespace charnn {
namespace {
constexpr float never = -std::numeric_limits<float>::infinity();

/// Combines all numbers in 16 lanes, which a compiler turns into vectors; always in the same order.
template <class Number, class Combine>
Number combined(std::span<const float> row, Number start, Combine combine) {
  std::array<Number, 16> lanes{};
  lanes.fill(start);
  std::size_t i = 0;
  for (; i + lanes.size() <= row.size(); i += lanes.size())
    for (std::size_t j = 0; j < lanes.size(); ++j) lanes[j] = combine(lanes[j], row[i + j]);
  for (; i < row.size(); ++i) lanes[0] = combine(lanes[0], row[i]);
  return std::accumulate(lanes.begin(), lanes.end(), start, combine);
}

float largest_of(std::span<const float> row) {
  return combined(row, never, [](float a, float b) { return b > a ? b : a; });
}

double sum_of(std::span<const float> row) { return combined(row, 0.0, std::plus<>()); }

/// exp((row - shift) scale), in memory that the next call on this thread overwrites.
std::span<const float> exp_of_row(std::span<const float> row, float shift = 0, float scale = 1) {
  thread_local std::vector<float> memory;
  memory.resize(row.size());
  exp_of(row.data(), shift, scale, memory.data(), row.size());
  return memory;
}

/// Keeps symbols in ascending order of key(log p), one at least, while more(number kept, their probability) holds.
template <class Key, class More>
void keep_first(LogRow row, Key key, More more) {
  thread_local std::vector<std::pair<float, std::uint32_t>> order;
  order.clear();
  for (std::uint32_t i = 0; i < row.size(); ++i)
    if (row[i] != never) order.emplace_back(key(row[i]), i);
  const std::span<const float> p = exp_of_row(row);
  // A heap, since most of a large alphabet is seldom needed.
  std::make_heap(order.begin(), order.end(), std::greater<>());
  auto end = order.end();
  double sum = 0;
  while (end != order.begin() && (end == order.end() || more(order.end() - end, sum))) {
    std::pop_heap(order.begin(), end, std::greater<>());
    sum += p[(--end)->second];
  }
  for (auto left = order.begin(); left != end; ++left) row[left->second] = never;
  normalize(row);
}
}  // namespace

void normalize(LogRow row) {
  const float largest = largest_of(row);
  const auto log_sum = static_cast<float>(std::log(sum_of(exp_of_row(row, largest))));
  for (float& value : row) value = (value - largest) - log_sum;
}

void add_bias(LogRow row, std::span<const float> bias) {
  for (std::size_t i = 0; i < row.size(); ++i) row[i] += bias[i];
  normalize(row);
}

void penalize_repetition(LogRow row, std::span<const std::int32_t> counts, double penalty) {
  for (std::size_t i = 0; i < row.size(); ++i)
    if (counts[i] > 0 && row[i] != never) row[i] *= static_cast<float>(penalty);
  normalize(row);
}

void penalize_frequency(LogRow row, std::span<const std::int32_t> counts, double penalty) {
  for (std::size_t i = 0; i < row.size(); ++i) row[i] -= static_cast<float>(penalty * counts[i]);
  normalize(row);
}

void apply_temperature(LogRow row, double temperature) {
  // The largest becomes 0 whatever the factor, so that a tiny temperature cannot make all of them -infinity.
  const float largest = largest_of(row);
  const auto factor = static_cast<float>(std::min(1 / temperature, 1e30));
  for (float& value : row) value = value == largest ? 0 : (value - largest) * factor;
  normalize(row);
}

void keep_top_k(LogRow row, std::int64_t k) {
  keep_first(row, std::negate<>(), [&](std::int64_t kept, double) { return kept < k; });
}

void keep_top_p(LogRow row, double share) {
  keep_first(row, std::negate<>(), [&](std::int64_t, double sum) { return sum < share; });
}

void keep_min_p(LogRow row, double share) {
  const float least = largest_of(row) + static_cast<float>(std::log(share));
  for (float& value : row)
    if (value < least) value = never;
  normalize(row);
}

void keep_typical(LogRow row, double share) {
  const std::span<const float> p = exp_of_row(row);
  double sum = 0;
  for (std::size_t i = 0; i < row.size(); ++i)
    if (row[i] != never) sum -= static_cast<double>(p[i]) * row[i];
  const auto entropy = static_cast<float>(sum);
  keep_first(
      row, [&](float log_p) { return std::abs(-log_p - entropy); },
      [&](std::int64_t, double kept) { return kept < share; });
}

std::int64_t draw_from(std::span<const float> row, Random& random, float shift, float scale) {
  const std::span<const float> p = exp_of_row(row, shift, scale);
  const double point = random.uniform() * sum_of(p);
  double sum = 0;
  std::int64_t drawn = 0;
  for (std::size_t i = 0; i < p.size() && sum <= point; ++i) {
    if (p[i] == 0) continue;
    drawn = static_cast<std::int64_t>(i);  // the last possible one, should rounding keep the sum below the point
    sum += p[i];
  }
  return drawn;
}

std::int64_t likeliest(std::span<const float> row) { return std::max_element(row.begin(), row.end()) - row.begin(); }

std::vector<std::pair<std::int64_t, double>> most_likely(std::span<const float> logits, std::int64_t count) {
  std::vector<float> row(logits.begin(), logits.end());
  normalize(row);
  std::vector<std::pair<std::int64_t, double>> all;
  for (const float p : row) all.emplace_back(std::ssize(all), std::exp(static_cast<double>(p)));
  const auto end = all.begin() + std::min(count, std::ssize(all));
  std::partial_sort(all.begin(), end, all.end(), [](const auto& a, const auto& b) {
    return a.second > b.second || (a.second == b.second && a.first < b.first);
  });
  all.erase(end, all.end());
  return all;
}
}  // namespace charnn
