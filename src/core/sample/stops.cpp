#include "core/sample/stops.h"
#include <algorithm>

namespace charnn {
using Ids = std::vector<std::int64_t>;

std::size_t stop_at_end(const Ids& ids, const std::vector<Ids>& stops) {
  std::size_t longest = 0;
  for (const Ids& stop : stops)
    if (stop.size() <= ids.size() && std::equal(stop.rbegin(), stop.rend(), ids.rbegin()))
      longest = std::max(longest, stop.size());
  return longest;
}

Ids UntilStop::add(std::int64_t id) {
  if (ended_) return {};
  waiting_.push_back(id);
  std::size_t kept = stop_at_end(waiting_, stops_);
  ended_ = kept > 0;
  if (!ended_)  // the most symbols that begin a stop without completing it
    for (const Ids& stop : stops_)
      for (std::size_t length = std::min(waiting_.size(), stop.size() - 1); length > kept; --length)
        if (std::equal(waiting_.end() - length, waiting_.end(), stop.begin())) kept = length;
  const auto end = waiting_.end() - kept;
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
