#pragma once

#include <cstdint>

namespace charnn {

/// Where training stands in the text; saved with every checkpoint.
struct Cursor {
  std::int64_t epoch = 0;
  std::int64_t position = 0;  ///< symbols of each stream already used in this epoch
  bool operator==(const Cursor&) const = default;
};

}  // namespace charnn
