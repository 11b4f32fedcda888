#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace charnn {
/// Length of the longest of `stops` that `ids` ends with; 0: none. No stop may be empty.
std::size_t stop_at_end(const std::vector<std::int64_t>& ids, const std::vector<std::vector<std::int64_t>>& stops);

/// Finds, symbol by symbol, where the first of some stops ends a text. No stop may be empty.
class UntilStop {
 public:
  explicit UntilStop(std::vector<std::vector<std::int64_t>> stops) : stops_(std::move(stops)) {}

  /// Takes the next symbol; returns those that can be shown now. Symbols that may begin a stop wait; a stop is never
  /// shown.
  std::vector<std::int64_t> add(std::int64_t id);
  bool ended() const noexcept { return ended_; }
  std::vector<std::int64_t> rest() { return std::exchange(waiting_, {}); }  ///< the waiting symbols, if nothing follows

 private:
  std::vector<std::vector<std::int64_t>> stops_;
  std::vector<std::int64_t> waiting_;
  bool ended_ = false;
};

/// Detects document starts as Corpus::copy_with_starts() does.
class DocumentStarts {
 public:
  explicit DocumentStarts(std::span<const std::int64_t> separator) : separator_(separator.begin(), separator.end()) {}

  /// Whether the next symbol, `id`, completes a separator.
  bool at(std::int64_t id);

 private:
  std::vector<std::int64_t> separator_;
  std::vector<std::int64_t> latest_;
};
}  // namespace charnn
