#include "extras/report/perplexity.h"
#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>
#include "core/sample/stops.h"

namespace charnn {
double nats_per_symbol(Network& network, std::span<const std::int64_t> prompt, std::span<const std::int64_t> text,
                       std::span<const std::int64_t> separator) {
  constexpr std::int64_t chunk = 256;
  std::vector<std::int64_t> all(prompt.begin(), prompt.end());
  all.insert(all.end(), text.begin(), text.end());
  const auto last = static_cast<std::int64_t>(all.size()) - 1;
  const std::int64_t first = std::max<std::int64_t>(static_cast<std::int64_t>(prompt.size()) - 1, 0);
  DocumentStarts documents(separator);
  State state = network.zero_state(1);
  double nats = 0;
  for (std::int64_t begin = 0; begin < last; begin += chunk) {
    const std::int64_t length = std::min(chunk, last - begin);
    Batch batch(length, 1, !separator.empty());
    for (std::int64_t t = 0; t < length; ++t) {
      const auto at = static_cast<std::size_t>(begin + t), here = static_cast<std::size_t>(t);
      batch.input[here] = all[at];
      if (begin + t >= first) batch.target[here] = all[at + 1];
      if (documents.at(all[at])) batch.starts[here] = 1;
    }
    std::vector<float> losses(batch.input.size());
    network.score_window(batch, state, losses);
    nats = std::accumulate(losses.begin(), losses.end(), nats);
  }
  return last > first ? nats / static_cast<double>(last - first) : std::numeric_limits<double>::quiet_NaN();
}
}  // namespace charnn
