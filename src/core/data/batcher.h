#pragma once
#include <cstdint>
#include <vector>
#include "core/data/corpus.h"

namespace charnn {
/// Training's position in the text; saved with every checkpoint.
struct Cursor {
  std::int64_t epoch = 0;
  std::int64_t position = 0;  ///< symbols of each stream already used in this epoch
  bool operator==(const Cursor&) const = default;
};

/// One window of every stream: T steps of B streams, arrays [T, B].
struct Batch {
  Batch(std::int64_t steps_given, std::int64_t streams_given, bool has_documents)
      : steps(steps_given),
        streams(streams_given),
        input(steps * streams),
        target(input.size(), -1),
        starts(has_documents ? input.size() : 0) {}

  Batch columns(std::int64_t first, std::int64_t count) const;  ///< some of the streams

  std::int64_t steps, streams;
  std::vector<std::int64_t> input;
  std::vector<std::int64_t> target;  ///< the symbol after each input symbol; negative: does not count
  std::vector<std::uint8_t> starts;  ///< 1 where a document starts; empty if the text is not split into documents
  bool starts_epoch = false;         ///< first window of an epoch: start from a zero state
};

/// Cuts a split into B contiguous streams of equal length L = (size - 1) / B and returns them in windows of T symbols.
/// Each window continues the one before, so the recurrent state can be carried over. Every symbol of every stream is
/// used once per epoch; the last window of an epoch is shorter if T does not divide L.
///
/// With a jitter j in (0, 1) every border between windows moves at random by up to j T / 2 symbols, differently in each
/// epoch: windows have (1 - j) T to (1 + j) T symbols, T on average, and gradients are cut elsewhere each time. (Merity
/// et al. 2018, "Regularizing and optimizing LSTM language models", vary lengths too; moving the borders keeps the
/// number of windows.) The borders depend on `seed`, epoch and place only, so there is nothing to save.
class Batcher {
 public:
  /// Throws like require_fits(). `corpus` must outlive the batcher.
  Batcher(const Corpus& corpus, Split split, std::int64_t batch_size, std::int64_t sequence_length, double jitter = 0,
          std::int64_t seed = 0);

  Batch next() { return next(0, batch_size_); }
  Batch next(std::int64_t first, std::int64_t count);  ///< of the streams [first, first + count) alone

  const Cursor& cursor() const noexcept { return cursor_; }
  void seek(Cursor cursor);  ///< throws Error (usage) if the cursor is out of range

  std::int64_t stream_length() const noexcept { return stream_length_; }
  std::int64_t windows_per_epoch() const noexcept { return (stream_length_ + sequence_length_ - 1) / sequence_length_; }

 private:
  std::int64_t border(std::int64_t window) const;

  const Corpus& corpus_;
  Split split_;
  std::int64_t batch_size_, sequence_length_, stream_length_;
  std::int64_t most_moved_;  ///< symbols by which borders may move
  std::uint64_t seed_;
  Cursor cursor_;
};

/// Throws Error (usage), with the largest sizes that fit, if a split cannot fill one window of batch_size x
/// sequence_length with its targets.
void require_fits(Split split, std::int64_t batch_size, std::int64_t sequence_length);
}  // namespace charnn
