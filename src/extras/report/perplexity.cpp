#include "extras/report/perplexity.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/sample/stops.h"

namespace charnn {

double nats_per_symbol(CharRnn& model, std::span<const std::int64_t> prompt, std::span<const std::int64_t> text,
                       std::span<const std::int64_t> separator) {
  constexpr std::int64_t chunk = 256;
  std::vector<std::int64_t> all(prompt.begin(), prompt.end());
  all.insert(all.end(), text.begin(), text.end());
  const auto last = static_cast<std::int64_t>(all.size()) - 1;
  const std::int64_t first = std::max<std::int64_t>(static_cast<std::int64_t>(prompt.size()) - 1, 0);
  const torch::NoGradGuard no_grad;
  DocumentStarts documents(separator);
  State state = model.zero_state(1);
  double nats = 0;
  for (std::int64_t begin = 0; begin < last; begin += chunk) {
    const std::int64_t length = std::min(chunk, last - begin);
    torch::Tensor input = torch::empty({length, 1}, torch::kInt64), target = torch::empty_like(input);
    const torch::Tensor starts = separator.empty() ? torch::Tensor() : torch::zeros({length, 1}, torch::kUInt8);
    for (std::int64_t t = 0; t < length; ++t) {
      const auto at = static_cast<std::size_t>(begin + t);
      input.data_ptr<std::int64_t>()[t] = all[at];
      target.data_ptr<std::int64_t>()[t] = begin + t < first ? -1 : all[at + 1];  // -1: not counted
      if (documents.at(all[at])) starts.data_ptr<std::uint8_t>()[t] = 1;
    }
    auto [losses, next] = model.nats(input, target, state, starts);
    nats += losses.sum(torch::kDouble).item<double>();
    state = next;
  }
  return last > first ? nats / static_cast<double>(last - first) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace charnn
