#include "core/train/sink.h"
#include <cerrno>
#include <cmath>
#include <system_error>
#include <fmt/format.h>

namespace charnn {
void SinkFile::append(std::int64_t step, std::string_view bytes) {
  const bool written = file_.append(bytes);
  if (!written && !failing_ && warn_)
    warn_({step, "not_written",
           fmt::format("cannot write {}: {}\n  note:     training goes on; what is missing there waits in memory",
                       file_.path(), std::generic_category().message(errno))});
  failing_ = !written;
}

double epoch_of(const Batcher& batcher) {
  const Cursor& cursor = batcher.cursor();
  return static_cast<double>(cursor.epoch) +
         static_cast<double>(cursor.position) / static_cast<double>(batcher.stream_length());
}

std::string describe_loss(double nats) { return fmt::format("{:.4f} nats/char ({:.3f} bits/char)", nats, bits(nats)); }

std::string describe_seconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}
}  // namespace charnn
