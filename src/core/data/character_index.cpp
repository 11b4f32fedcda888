#include "core/data/character_index.h"

#include <numeric>

#include "core/base/utf8.h"

namespace charnn {

CharacterIndex::CharacterIndex(std::size_t bytes) {
  // Growing would take both the old and the new memory for a while; what is reserved and not used takes none.
  const std::size_t blocks = bytes / block_size + 1;
  lengths_.reserve(blocks);
  group_begins_.reserve(blocks / group + 1);
}

void CharacterIndex::add(std::string_view text) {
  while (!text.empty()) {
    const std::size_t before = text.size();
    size_ += drop_code_points(text, block_size - size_ % block_size);
    bytes_ += before - text.size();
    if (size_ % block_size == 0) close_block();
  }
}

void CharacterIndex::close_block() {
  if (lengths_.size() % group == 0) group_begins_.push_back(last_begin_);
  lengths_.push_back(static_cast<std::uint16_t>(bytes_ - last_begin_));
  last_begin_ = bytes_;
}

std::optional<CharacterIndex> CharacterIndex::from(const std::vector<std::uint16_t>& block_lengths, std::int64_t size,
                                                   std::size_t bytes) {
  const auto can_be = [](std::size_t length, std::int64_t characters) {
    const auto least = static_cast<std::size_t>(characters);
    return length >= least && length <= 4 * least;
  };
  if (size < 0 || static_cast<std::int64_t>(block_lengths.size()) != size / block_size) return std::nullopt;
  CharacterIndex index(bytes);
  for (const std::uint16_t length : block_lengths) {
    if (!can_be(length, block_size)) return std::nullopt;
    index.bytes_ += length;
    index.close_block();
  }
  if (index.bytes_ > bytes || !can_be(bytes - index.bytes_, size % block_size)) return std::nullopt;
  index.size_ = size;
  index.bytes_ = bytes;
  return index;
}

std::size_t CharacterIndex::block_begin(std::int64_t block) const noexcept {
  const std::size_t full = lengths_.size();
  const auto index = static_cast<std::size_t>(block);
  if (index >= full) return index == full ? last_begin_ : bytes_;
  const auto first = static_cast<std::ptrdiff_t>(index - index % group);
  return std::accumulate(lengths_.begin() + first, lengths_.begin() + block, group_begins_[index / group]);
}

}  // namespace charnn
