#pragma once
#include <cstdint>
#include <functional>
#include <vector>

namespace charnn {
/// The documents of a text in a random order, as one text. 16 bytes a document.
class DocumentOrder {
 public:
  /// `begins`: where each document of the text begins, ascending, from 0. The last one, which ends at `size`, stays
  /// last unless `whole`: without its separator it would run into the next one. The order depends on `seed` and the
  /// number of documents only.
  DocumentOrder(const std::vector<std::int64_t>& begins, std::int64_t size, bool whole, std::uint64_t seed);

  /// Calls use(place in the text, count) for the pieces that make up [first, first + count).
  void pieces(std::int64_t first, std::int64_t count,
              const std::function<void(std::int64_t first, std::int64_t count)>& use) const;

  /// The first place, not before `place`, where a document begins, or the size of the text.
  std::int64_t next_begin(std::int64_t place) const;
  std::int64_t last_begin(
      std::int64_t end) const;  ///< the last place before `end` where one begins; 0 if there is none

 private:
  std::vector<std::int64_t> places_;  ///< where each document begins, in the new order, and the end
  std::vector<std::int64_t> from_;    ///< where it begins in the text
};
}  // namespace charnn
