#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "core/base/files.h"
#include "core/data/vocabulary.h"

namespace charnn {
/// One file of a corpus, read from the disk whenever its text is needed.
class TextFile {
 public:
  /// Throws like InputFile.
  explicit TextFile(std::string path) : file_(std::move(path), "corpus"), bytes_(file_.size()) {}
  const InputFile& file() const noexcept { return file_; }

  /// Passes the whole text to `use` in pieces of about 1 MiB, each of whole symbols. Throws Error (usage) for chars
  /// that are not valid UTF-8, and like InputFile::read().
  void read_pieces(Tokens tokens, const std::function<void(std::string_view)>& use) const;
  /// read_pieces() that also indexes the text. Must be called once before size() and copy(). With `known`, `unknown`
  /// says what becomes of other symbols, and a trailing newline that is not known does not belong to the text.
  void scan(Tokens tokens, const std::function<void(std::string_view)>& use, const Vocabulary* known = nullptr,
            OnUnknown unknown = OnUnknown::error);
  std::int64_t size() const noexcept { return size_; }  ///< in symbols
  /// Ids of symbols [first, first + out.size()). Throws Error (usage) if the file has changed since it was opened.
  void copy(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const;

 private:
  void require_text(std::string_view piece, std::size_t begin) const;
  std::int64_t copy_some(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const;

  void drop_trailing_newline();

  InputFile file_;
  std::size_t bytes_;  ///< of the file that belong to the text
  OnUnknown unknown_ = OnUnknown::error;
  /// Byte offset of every 1024th character and of the end: 8 MB per GB of text. Empty if every symbol is one byte.
  std::vector<std::size_t> block_begins_;
  std::int64_t size_ = 0;
};
}  // namespace charnn
