#include "charnn/sample/stops.h"

#include <algorithm>

namespace charnn {
namespace {

using Ids = std::vector<std::int64_t>;

bool ends_with(const Ids& text, const Ids& end) {
  return text.size() >= end.size() && std::equal(end.rbegin(), end.rend(), text.rbegin());
}

/// How many symbols at the end of `text` begin `stop` without completing it; the most, if several do.
std::size_t begun(const Ids& text, const Ids& stop) {
  for (std::size_t length = std::min(text.size(), stop.size() - 1); length > 0; --length)
    if (std::equal(text.end() - static_cast<std::ptrdiff_t>(length), text.end(), stop.begin())) return length;
  return 0;
}

}  // namespace

Ids UntilStop::add(std::int64_t id) {
  if (ended_) return {};
  waiting_.push_back(id);
  std::size_t kept = 0;
  for (const Ids& stop : stops_)
    if (ends_with(waiting_, stop)) ended_ = true, kept = std::max(kept, stop.size());
  if (!ended_)
    for (const Ids& stop : stops_) kept = std::max(kept, begun(waiting_, stop));
  const auto end = waiting_.end() - static_cast<std::ptrdiff_t>(kept);
  Ids now(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), ended_ ? waiting_.end() : end);
  return now;
}

bool DocumentStarts::at(std::int64_t id) {
  if (separator_.empty()) return false;
  if (latest_.size() == separator_.size()) latest_.erase(latest_.begin());
  latest_.push_back(id);
  return latest_ == separator_;
}

}  // namespace charnn
