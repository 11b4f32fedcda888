#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "core/base/describe.h"
#include "core/base/files.h"
#include "core/data/vocabulary.h"

namespace charnn {
struct DataConfig {
  std::vector<std::string> files;
  Tokens tokens = Tokens::chars;
  double val_fraction = 0.1, test_fraction = 0.0;
  std::string document_separator;
};
Section describe(DataConfig& config);

/// One file of a corpus, read from the disk whenever its text is needed.
class TextFile {
 public:
  /// Throws like InputFile.
  explicit TextFile(std::string path) : file_(std::move(path), "corpus") {}
  const InputFile& file() const noexcept { return file_; }

  /// Passes the whole text to `use` in pieces of about 1 MiB, each of whole symbols. Throws Error (usage) for chars
  /// that are not valid UTF-8, and like InputFile::read().
  void read_pieces(Tokens tokens, const std::function<void(std::string_view)>& use) const;
  /// read_pieces() that also indexes the text. Must be called once before size() and copy().
  void scan(Tokens tokens, const std::function<void(std::string_view)>& use);
  std::int64_t size() const noexcept { return size_; }  ///< in symbols
  /// Ids of symbols [first, first + out.size()). Throws Error (usage) if the file has changed since it was opened.
  void copy(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const;

 private:
  std::int64_t copy_some(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const;

  InputFile file_;
  /// Byte offset of every 4096th character and of the end: 2 MB per GB of text. Empty if every symbol is one byte.
  std::vector<std::size_t> block_begins_;
  std::int64_t size_ = 0;
};

/// Identifies a corpus when a run is resumed.
struct Fingerprint {
  std::int64_t bytes = 0;
  std::uint64_t hash = 0;  ///< XXH3, 64 bits, of the joined text
  bool operator==(const Fingerprint&) const = default;
};

/// A contiguous part of a corpus: symbols [begin, end).
struct Split {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const noexcept { return end - begin; }
};

/// The text as numbered symbols. It stays on the disk: the files are scanned once and then read as symbols are needed,
/// so memory does not grow with the text (except by 2 MB per GB where characters have several bytes).
class Corpus {
 public:
  /// Without `vocabulary`, uses all symbols of the text (or all 256 bytes). Throws Error (usage): no files, empty text,
  /// invalid UTF-8, symbols of the text or of the document separator outside the vocabulary, fractions above 1.
  explicit Corpus(const DataConfig& config, std::optional<Vocabulary> vocabulary = std::nullopt);
  /// Numbers the symbols by another vocabulary. Errors as above.
  void use(Vocabulary vocabulary, const std::string& document_separator);

  const Vocabulary& vocabulary() const noexcept { return *vocabulary_; }
  std::int64_t size() const noexcept { return size_; }  ///< in symbols
  const Fingerprint& fingerprint() const noexcept { return fingerprint_; }

  /// Ids of symbols [first, first + out.size()). Throws Error if a file cannot be read or has changed.
  void copy(std::int64_t first, std::span<std::int64_t> out) const;

  bool has_documents() const noexcept { return !separator_.empty(); }  ///< whether data.document_separator is set
  /// Like copy(); also returns the offsets in `out`, ascending, where a document starts. A document starts at the last
  /// symbol of its separator: it is fed from a zero state and predicts the document's first character.
  std::vector<std::int64_t> copy_with_starts(std::int64_t first, std::span<std::int64_t> out) const;

  Split all() const noexcept { return {0, size_}; }
  Split train() const noexcept { return {0, val_begin_}; }
  Split val() const noexcept { return {val_begin_, test_begin_}; }
  Split test() const noexcept { return {test_begin_, size_}; }

 private:
  void scan(Tokens tokens);

  std::vector<TextFile> files_;
  std::vector<char32_t> characters_;  ///< that occur in the text, ascending; empty for bytes
  std::optional<Vocabulary> vocabulary_;
  std::vector<std::int64_t> separator_;
  std::int64_t size_ = 0, val_begin_ = 0, test_begin_ = 0;
  Fingerprint fingerprint_;
};
}  // namespace charnn
