#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "core/dist/link.h"

namespace charnn {
/// The processes that train one network together. All of them call the same functions in the same order; of one process
/// alone, each returns at once. Errors: see Link.
class Group {
 public:
  Group() = default;  ///< this process alone
  explicit Group(const Place& place, LinkEvents events = {});

  int rank() const noexcept { return place_.rank; }
  int size() const noexcept { return place_.size; }
  bool leads() const noexcept { return rank() == 0; }
  const Place& place() const noexcept { return place_; }

  /// Adds `values`, as many in each process, element by element in a binary tree that is the same for every call: ((0 +
  /// 1) + (2 + 3)) + ... over the ranks, whose number is a power of two. All processes get the sums, the same bits.
  /// Each sends 2 (N - 1) / N times the values, as much as in a ring. Returns the notes of all processes, by rank.
  std::vector<double> add(std::span<float> values, std::span<const double> notes);
  std::vector<std::string> gather(std::string_view own);  ///< of all processes, by rank
  std::string broadcast(std::string bytes);               ///< those of rank 0
  int most(int value);                                    ///< the largest of all processes'

  double seconds() const noexcept { return seconds_; }  ///< spent in add()

 private:
  Place place_;
  std::unique_ptr<Link> link_;  ///< null: alone
  std::vector<float> sent_, received_;
  double seconds_ = 0;
};

/// Which of `count` things in a row process `rank` of `size` takes.
struct Share {
  std::int64_t first, count;
};
inline Share share_of(std::int64_t count, int rank, int size) {
  const std::int64_t first = count * rank / size;
  return {first, count * (rank + 1) / size - first};
}
}  // namespace charnn
