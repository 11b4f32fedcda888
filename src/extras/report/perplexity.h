#pragma once
#include <cstdint>
#include <span>
#include "core/model/network.h"

namespace charnn {
/// Mean of -log p, in nats, that the network gives the symbols of `text` after `prompt`; NaN if there are none. Without
/// a prompt the first symbol does not count. exp of it is the text's perplexity. `separator`: of documents; may be
/// empty.
double nats_per_symbol(Network& network, std::span<const std::int64_t> prompt, std::span<const std::int64_t> text,
                       std::span<const std::int64_t> separator);
}  // namespace charnn
