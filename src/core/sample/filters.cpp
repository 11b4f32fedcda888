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

/// Working memory, since a row is shaped for every symbol that is written.
std::vector<float>& scratch(std::size_t size) {
  thread_local std::vector<float> memory;
  memory.resize(size);
  return memory;
}

constexpr std::size_t lanes = 16;  // side by side, which a compiler turns into vectors; always in the same order

float largest_of(std::span<const float> row) {
  std::array<float, lanes> largest{};
  largest.fill(never);
  std::size_t i = 0;
  for (; i + lanes <= row.size(); i += lanes)
    for (std::size_t j = 0; j < lanes; ++j) largest[j] = row[i + j] > largest[j] ? row[i + j] : largest[j];
  for (; i < row.size(); ++i) largest[0] = std::max(largest[0], row[i]);
  return *std::max_element(largest.begin(), largest.end());
}

double sum_of(std::span<const float> row) {
  std::array<double, lanes> sums{};
  std::size_t i = 0;
  for (; i + lanes <= row.size(); i += lanes)
    for (std::size_t j = 0; j < lanes; ++j) sums[j] += static_cast<double>(row[i + j]);
  for (; i < row.size(); ++i) sums[0] += static_cast<double>(row[i]);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// p of the row.
std::span<const float> powers(std::span<const float> row) {
  std::vector<float>& p = scratch(row.size());
  exp_of(row.data(), 0, 1, p.data(), static_cast<std::int64_t>(row.size()));
  return p;
}

/// Keeps the first symbols, in ascending order of `key` (a number for each), that have `share` together.
template <class Key>
void keep_share(LogRow row, double share, Key key) {
  thread_local std::vector<std::pair<float, std::uint32_t>> order;
  order.clear();
  for (std::uint32_t i = 0; i < row.size(); ++i)
    if (row[i] != never) order.emplace_back(key(row[i]), i);
  const std::span<const float> p = powers(row);
  // A heap, since most of a large alphabet is seldom needed.
  std::make_heap(order.begin(), order.end(), std::greater<>());
  auto end = order.end();
  double sum = 0;
  while (end != order.begin() && (end == order.end() || sum < share)) {
    std::pop_heap(order.begin(), end, std::greater<>());
    sum += static_cast<double>(p[(--end)->second]);
  }
  for (auto left = order.begin(); left != end; ++left) row[left->second] = never;
  normalize(row);
}
}  // namespace

void normalize(LogRow row) {
  const float largest = largest_of(row);
  std::vector<float>& p = scratch(row.size());
  exp_of(row.data(), largest, 1, p.data(), static_cast<std::int64_t>(row.size()));
  const auto log_sum = static_cast<float>(std::log(sum_of(p)));
  for (float& value : row) value = (value - largest) - log_sum;
}

void add_bias(LogRow row, std::span<const float> bias) {
  for (std::size_t i = 0; i < row.size(); ++i) row[i] += bias[i];
  normalize(row);
}

void keep_only(LogRow row, std::span<const std::uint8_t> allowed) {
  for (std::size_t i = 0; i < row.size(); ++i)
    if (allowed[i] == 0) row[i] = never;
  normalize(row);
}

void penalize_repetition(LogRow row, std::span<const std::int32_t> counts, double penalty) {
  for (std::size_t i = 0; i < row.size(); ++i)
    if (counts[i] > 0 && row[i] != never) row[i] *= static_cast<float>(penalty);
  normalize(row);
}

void penalize_frequency(LogRow row, std::span<const std::int32_t> counts, double penalty) {
  for (std::size_t i = 0; i < row.size(); ++i) row[i] -= static_cast<float>(penalty * static_cast<double>(counts[i]));
  normalize(row);
}

void apply_temperature(LogRow row, double temperature) {
  // Less the largest, which is kept at 0 by any factor: a tiny temperature must not make all of them
  // -infinity.
  const float largest = largest_of(row);
  const auto factor = static_cast<float>(std::min(1 / temperature, 1e30));
  for (float& value : row) value = value == largest ? 0 : (value - largest) * factor;
  normalize(row);
}

void keep_top_k(LogRow row, std::int64_t k) {
  if (static_cast<std::size_t>(k) >= row.size()) return;
  thread_local std::vector<std::pair<float, std::uint32_t>> order;
  order.clear();
  for (std::uint32_t i = 0; i < row.size(); ++i) order.emplace_back(-row[i], i);
  std::nth_element(order.begin(), order.begin() + k, order.end());
  for (auto left = order.begin() + k; left != order.end(); ++left) row[left->second] = never;
  normalize(row);
}

void keep_top_p(LogRow row, double share) {
  keep_share(row, share, [](float log_p) { return -log_p; });
}

void keep_min_p(LogRow row, double share) {
  const float least = largest_of(row) + static_cast<float>(std::log(share));
  for (float& value : row)
    if (value < least) value = never;
  normalize(row);
}

void keep_typical(LogRow row, double share) {
  const std::span<const float> p = powers(row);
  double entropy = 0;
  for (std::size_t i = 0; i < row.size(); ++i)
    if (row[i] != never) entropy -= static_cast<double>(p[i]) * static_cast<double>(row[i]);
  keep_share(row, share, [entropy = static_cast<float>(entropy)](float log_p) { return std::abs(-log_p - entropy); });
}

std::int64_t draw_from(std::span<const float> row, Random& random) {
  const std::span<const float> p = powers(row);
  const double point = random.uniform() * sum_of(p);
  double sum = 0;
  std::size_t drawn = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) continue;
    drawn = i;  // the last that can be, should rounding keep the sum below the point
    sum += static_cast<double>(p[i]);
    if (sum > point) break;
  }
  return static_cast<std::int64_t>(drawn);
}

std::int64_t likeliest(std::span<const float> row) { return std::max_element(row.begin(), row.end()) - row.begin(); }
}  // namespace charnn
