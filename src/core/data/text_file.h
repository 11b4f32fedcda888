#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/files.h"
#include "core/data/character_index.h"
#include "core/data/corpus_index.h"
#include "core/data/vocabulary.h"

namespace charnn {

/// One file of a corpus, read from the disk whenever its text is needed.
class TextFile {
 public:
  /// Throws as InputFile.
  explicit TextFile(std::string path) : file_(std::move(path), "corpus") {}

  const InputFile& file() const noexcept { return file_; }

  /// Hands out the whole text in pieces of about 1 MiB, each of whole symbols. Throws Error (usage) if it is to be read
  /// as chars and is not valid UTF-8, and as InputFile::read().
  void read_pieces(Tokens tokens, const std::function<void(std::string_view)>& use) const;

  /// read_pieces() once, which also counts the symbols and notes where they are; size() and copy() need it.
  void scan(Tokens tokens, const std::function<void(std::string_view)>& use);

  /// In place of scan(): takes what an earlier one has told. False if that was of another file, as far as its stamp and
  /// sample tell.
  bool take(const CorpusIndex::File& known, Tokens tokens);

  /// What scan() has told.
  CorpusIndex::File index() const;

  /// XXH3 (64 bits) of 64 pieces of 4 KiB, evenly spread: of all of a file that is not larger.
  std::uint64_t sample() const;

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
