#pragma once

#include <cstdint>

#include "core/data/corpus.h"
#include "core/data/cursor.h"
#include "core/data/torch.h"

namespace charnn {

/// One window of every stream. Shapes [T, B], int64.
struct Batch {
  torch::Tensor input;
  torch::Tensor target;  ///< the symbol after each input symbol
  /// uint8: 1 where a document starts; undefined if the text is not split into documents.
  torch::Tensor starts;
  bool starts_epoch = false;  ///< the streams begin anew: no state to carry on from
};

/// Cuts a split into B contiguous streams of equal length L = (size - 1) / B and hands them out in windows of T
/// symbols; window k + 1 goes on where window k ended, so that the recurrent state can be carried over. Every symbol of
/// every stream is used once an epoch; the last window of an epoch is shorter where T does not divide L.
class Batcher {
 public:
  /// Throws as require_fits(). `corpus` must outlive the batcher.
  Batcher(const Corpus& corpus, Split split, std::int64_t batch_size, std::int64_t sequence_length);

  Batch next();

  const Cursor& cursor() const noexcept { return cursor_; }
  void seek(Cursor cursor);  ///< throws Error (usage) if there is no such place

  std::int64_t stream_length() const noexcept { return stream_length_; }
  std::int64_t windows_per_epoch() const noexcept;

 private:
  const Corpus& corpus_;
  Split split_;
  std::int64_t batch_size_;
  std::int64_t sequence_length_;
  std::int64_t stream_length_;
  Cursor cursor_;
};

/// Throws Error (usage), with the numbers and the largest sizes that fit, if a split cannot fill one window of
/// batch_size x sequence_length with its targets.
void require_fits(Split split, std::int64_t batch_size, std::int64_t sequence_length);

}  // namespace charnn
