#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace charnn {
/// Length of the longest of `stops` that `ids` ends with; 0: it ends with none. None may be empty.
std::size_t stop_at_end(const std::vector<std::int64_t>& ids, const std::vector<std::vector<std::int64_t>>& stops);

/// Finds the end of a text that goes on until one of some stops, symbol by symbol.
class UntilStop {
 public:
  /// None: there is no end. None may be empty.
  explicit UntilStop(std::vector<std::vector<std::int64_t>> stops) : stops_(std::move(stops)) {}

  /// Takes the next symbol; returns those that can be shown now. What may be the beginning of a stop waits, and the
  /// stop itself is never shown.
  std::vector<std::int64_t> add(std::int64_t id);
  bool ended() const noexcept { return ended_; }
  /// What still waits when the text ends otherwise.
  std::vector<std::int64_t> rest() { return std::exchange(waiting_, {}); }

 private:
  std::vector<std::vector<std::int64_t>> stops_;
  std::vector<std::int64_t> waiting_;
  bool ended_ = false;
};

/// Notices where documents start, as Corpus::copy_with_starts() does.
class DocumentStarts {
 public:
  explicit DocumentStarts(std::span<const std::int64_t> separator) : separator_(separator.begin(), separator.end()) {}

  /// Whether a document starts with `id`, the symbol after those given before: it completes a separator.
  bool at(std::int64_t id);

 private:
  std::vector<std::int64_t> separator_;
  std::vector<std::int64_t> latest_;
};
}  // namespace charnn
