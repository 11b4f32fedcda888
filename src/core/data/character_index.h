#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace charnn {

/// Where the characters of a UTF-8 text lie. Only every 4096th is kept, as the length of the block of characters before
/// it: 0.5 MB for a GB of text.
class CharacterIndex {
 public:
  static constexpr std::int64_t block_size = 4096;  ///< in characters; the last block may have fewer

  /// `bytes`: about how long the text will be.
  explicit CharacterIndex(std::size_t bytes);

  /// From block_lengths(): of a text of `size` characters in `bytes` bytes. Nothing if that cannot be.
  static std::optional<CharacterIndex> from(const std::vector<std::uint16_t>& block_lengths, std::int64_t size,
                                            std::size_t bytes);
  const std::vector<std::uint16_t>& block_lengths() const noexcept { return lengths_; }

  /// Goes on with the text: whole characters of valid UTF-8.
  void add(std::string_view text);

  std::int64_t size() const noexcept { return size_; }  ///< in characters
  /// Byte at which a block begins; of the block after the last: the length of the text.
  std::size_t block_begin(std::int64_t block) const noexcept;

 private:
  void close_block();

  static constexpr std::size_t group = 64;  ///< blocks of which the first has its place kept as well

  std::vector<std::uint16_t> lengths_;     ///< in bytes, of each full block
  std::vector<std::size_t> group_begins_;  ///< in bytes, for every 64th full block
  std::int64_t size_ = 0;
  std::size_t bytes_ = 0;
  std::size_t last_begin_ = 0;  ///< byte at which the block that is not full begins
};

}  // namespace charnn
