// Where LibTorch has no c10d.
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/dist/link.h"

namespace charnn {
std::unique_ptr<Link> open_link(const Place& place, LinkEvents /*events*/) {
  fail_input(fmt::format("{} processes, and charnn was built without c10d", place.size), "one process",
             "build it against a LibTorch with c10d and Gloo (Debian's and PyPI's have both), with CHARNN_DIST=ON");
}
}  // namespace charnn
