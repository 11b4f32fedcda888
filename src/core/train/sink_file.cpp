#include "core/train/sink_file.h"
#include <cerrno>
#include <system_error>
#include <fmt/format.h>

namespace charnn {
void SinkFile::append(std::int64_t step, std::string_view bytes) {
  const bool written = file_.append(bytes);
  if (!written && !failing_ && warn_)
    warn_({step, "not_written",
           fmt::format("cannot write {}: {}\n  so far:   training goes on; what is missing there waits in memory",
                       path(), std::generic_category().message(errno))});
  failing_ = !written;
}
}  // namespace charnn
