#include "core/data/document_order.h"
#include <algorithm>
#include <utility>
#include "core/base/random.h"

namespace charnn {
DocumentOrder::DocumentOrder(const std::vector<std::int64_t>& begins, std::int64_t size, bool whole,
                             std::uint64_t seed) {
  std::vector<std::pair<std::int64_t, std::int64_t>> documents;  // begin, end
  for (std::size_t i = 0; i < begins.size(); ++i)
    documents.emplace_back(begins[i], i + 1 < begins.size() ? begins[i + 1] : size);
  Random random(seed);
  for (std::size_t left = documents.size() - (whole ? 0 : 1); left > 1; --left)  // Fisher, Yates 1938
    std::swap(documents[left - 1], documents[random.next() % left]);
  std::int64_t place = 0;
  for (const auto& [begin, end] : documents) {
    places_.push_back(place);
    from_.push_back(begin);
    place += end - begin;
  }
  places_.push_back(place);
}

void DocumentOrder::pieces(std::int64_t first, std::int64_t count,
                           const std::function<void(std::int64_t first, std::int64_t count)>& use) const {
  for (auto next = std::upper_bound(places_.begin(), places_.end(), first); count > 0; ++next) {
    const std::int64_t skipped = first - *(next - 1), length = std::min(count, *next - first);
    use(from_[static_cast<std::size_t>(next - 1 - places_.begin())] + skipped, length);
    first += length;
    count -= length;
  }
}

std::int64_t DocumentOrder::next_begin(std::int64_t place) const {
  return *std::lower_bound(places_.begin(), places_.end() - 1, place);
}

std::int64_t DocumentOrder::last_begin(std::int64_t end) const {
  const auto after = std::lower_bound(places_.begin(), places_.end(), end);
  return after == places_.begin() ? 0 : *(after - 1);
}
}  // namespace charnn
