#include "core/data/batcher.h"
#include <algorithm>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/random.h"

namespace charnn {
void require_fits(Split split, std::int64_t batch_size, std::int64_t sequence_length) {
  const std::int64_t inputs = std::max<std::int64_t>(split.size() - 1, 0);  // the last symbol is a target only
  // A division, since the product of two large options could overflow.
  if (inputs / batch_size >= sequence_length) return;
  std::string hint = "use a longer text";
  if (inputs >= sequence_length) hint += fmt::format(", or --batch-size {} at most", inputs / sequence_length);
  if (inputs >= batch_size) hint += fmt::format(", or --sequence-length {} at most", inputs / batch_size);
  fail_input(
      fmt::format("the training part of the text has {} characters, too few for batch_size {} x sequence_length {}",
                  split.size(), batch_size, sequence_length),
      fmt::format("at least {} x {} + 1 = {:.0f} characters", batch_size, sequence_length,
                  static_cast<double>(batch_size) * static_cast<double>(sequence_length) + 1),
      hint);
}

Batcher::Batcher(const Corpus& corpus, Split split, std::int64_t batch_size, std::int64_t sequence_length,
                 double jitter, std::int64_t seed)
    : corpus_(corpus),
      split_(split),
      batch_size_(batch_size),
      sequence_length_(sequence_length),
      stream_length_((split.size() - 1) / batch_size),
      most_moved_(static_cast<std::int64_t>(jitter * static_cast<double>(sequence_length) / 2)),
      seed_(static_cast<std::uint64_t>(seed)) {
  require_fits(split, batch_size, sequence_length);
}

/// Where window number `window` of this epoch begins; 0 < window.
std::int64_t Batcher::border(std::int64_t window) const {
  if (window >= windows_per_epoch()) return stream_length_;
  const std::int64_t regular = window * sequence_length_;
  if (most_moved_ == 0) return regular;
  const std::uint64_t epoch = Random(seed_ + static_cast<std::uint64_t>(cursor_.epoch)).next();
  const std::uint64_t draw = Random(epoch + static_cast<std::uint64_t>(window)).next();
  const std::int64_t moved = static_cast<std::int64_t>(draw % static_cast<std::uint64_t>(2 * most_moved_ + 1));
  return std::min(regular + moved - most_moved_, stream_length_ - 1);
}

void Batcher::seek(Cursor cursor) {
  if (cursor.epoch < 0 || cursor.position < 0 || cursor.position >= stream_length_)
    fail_input(fmt::format("data cursor: epoch {}, position {}", cursor.epoch, cursor.position),
               fmt::format("a position below the stream length {}", stream_length_),
               "the checkpoint is damaged; use another");
  cursor_ = cursor;
}

Batch Batch::columns(std::int64_t first, std::int64_t count) const {
  Batch part(steps, count, !starts.empty());
  part.starts_epoch = starts_epoch;
  for (std::int64_t t = 0; t < steps; ++t) {
    const std::int64_t from = t * streams + first, to = t * count;
    std::copy_n(input.begin() + from, count, part.input.begin() + to);
    std::copy_n(target.begin() + from, count, part.target.begin() + to);
    if (!starts.empty()) std::copy_n(starts.begin() + from, count, part.starts.begin() + to);
  }
  return part;
}

Batch Batcher::next(std::int64_t first_stream, std::int64_t count) {
  std::int64_t window_after = std::max<std::int64_t>(cursor_.position / sequence_length_, 1);
  while (border(window_after) <= cursor_.position) ++window_after;
  const std::int64_t length = border(window_after) - cursor_.position;
  Batch batch(length, count, corpus_.has_documents());
  batch.starts_epoch = cursor_.position == 0;
  std::vector<std::int64_t> window(length + 1);
  for (std::int64_t b = 0; b < count; ++b) {
    const std::int64_t first = split_.begin + (first_stream + b) * stream_length_ + cursor_.position;
    for (const std::int64_t at : corpus_.copy_with_starts(first, window))
      if (at < length) batch.starts[at * count + b] = 1;
    for (std::int64_t t = 0; t < length; ++t) {
      batch.input[t * count + b] = window[t];
      batch.target[t * count + b] = window[t + 1];
    }
  }
  cursor_.position += length;
  if (cursor_.position == stream_length_) cursor_ = {cursor_.epoch + 1, 0};
  return batch;
}
}  // namespace charnn
