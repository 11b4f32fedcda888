#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "core/base/files.h"
#include "core/data/vocabulary.h"

namespace charnn {
/// Where the characters of a UTF-8 text lie. Only every 4096th is kept, as the length of the block of characters before
/// it: 0.5 MB for a GB of text.
class CharacterIndex {
 public:
  static constexpr std::int64_t block_size = 4096;  ///< in characters; the last block may have fewer

  /// `bytes`: about how long the text will be.
  explicit CharacterIndex(std::size_t bytes);
  /// Continues with the text: whole characters of valid UTF-8.
  void add(std::string_view text);
  std::int64_t size() const noexcept { return size_; }  ///< in characters
  /// Byte at which a block begins; of the block after the last: the length of the text.
  std::size_t block_begin(std::int64_t block) const noexcept;

 private:
  static constexpr std::size_t group = 64;  ///< blocks of which the first has its place kept as well
  std::vector<std::uint16_t> lengths_;      ///< in bytes, of each full block
  std::vector<std::size_t> group_begins_;   ///< in bytes, for every 64th full block
  std::int64_t size_ = 0;
  std::size_t bytes_ = 0;
  std::size_t last_begin_ = 0;  ///< byte at which the block that is not full begins
};

/// One file of a corpus, read from the disk whenever its text is needed.
class TextFile {
 public:
  /// Throws as InputFile.
  explicit TextFile(std::string path) : file_(std::move(path), "corpus") {}
  const InputFile& file() const noexcept { return file_; }

  /// Hands out the whole text in pieces of about 1 MiB, each of whole symbols. Throws Error (usage) if it is to be read as
  /// chars and is not valid UTF-8, and as InputFile::read().
  void read_pieces(Tokens tokens, const std::function<void(std::string_view)>& use) const;
  /// read_pieces() once, which also counts the symbols and notes where they are; size() and copy() need it.
  void scan(Tokens tokens, const std::function<void(std::string_view)>& use);
  std::int64_t size() const noexcept { return size_; }  ///< in symbols
  /// Ids of symbols [first, first + out.size()). Throws Error (usage) if the file has been written to since it was
  /// opened.
  void copy(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const;

 private:
  std::size_t copy_some(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const;

  InputFile file_;
  std::optional<CharacterIndex> index_;  ///< none if every symbol is one byte
  std::int64_t size_ = 0;
};
}  // namespace charnn
