#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/data/corpus_index.h"
#include "core/data/data_config.h"
#include "core/data/text_file.h"
#include "core/data/vocabulary.h"

namespace charnn {

/// A contiguous part of a corpus: symbols [begin, end).
struct Split {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const noexcept { return end - begin; }
};

/// The text as numbered symbols. It stays on the disk: the files are gone through once, and then read where and when
/// symbols are needed, so that memory does not grow with the text (but for 0.5 MB a GB where characters have several
/// bytes).
class Corpus {
 public:
  /// Without `vocabulary` the text's own is made (all 256 bytes, or the code points that occur). With it, the text must
  /// be covered by it. Throws Error (usage): no files, empty text, invalid UTF-8, unknown symbols, fractions above 1, a
  /// document separator with symbols that do not occur.
  ///
  /// `known`: what an earlier Corpus of these files has told, index(); if they have not changed since (as far as times,
  /// sizes and samples tell), they are not gone through again.
  explicit Corpus(const DataConfig& config, std::optional<Vocabulary> vocabulary = std::nullopt,
                  const CorpusIndex* known = nullptr);

  bool was_scanned() const noexcept { return scanned_; }  ///< `known` was of no use
  CorpusIndex index() const;

  const Vocabulary& vocabulary() const noexcept { return *vocabulary_; }
  std::int64_t size() const noexcept { return size_; }  ///< in symbols
  const Fingerprint& fingerprint() const noexcept { return fingerprint_; }

  /// Ids of symbols [first, first + out.size()). Throws Error: a file cannot be read, or has become shorter or
  /// otherwise other than it was.
  void copy(std::int64_t first, std::span<std::int64_t> out) const;

  /// Whether the text is split into documents (data.document_separator).
  bool has_documents() const noexcept { return !separator_.empty(); }

  /// As copy(); returns the places in `out`, ascending, at which a document starts: of the last symbol of every
  /// separator, which thus is to a document what a line break is to a line: the first thing that is read, from a zero
  /// state, and from which its first letter is predicted.
  std::vector<std::int64_t> copy_with_starts(std::int64_t first, std::span<std::int64_t> out) const;

  Split all() const noexcept { return {0, size_}; }
  Split train() const noexcept { return {0, val_begin_}; }
  Split val() const noexcept { return {val_begin_, test_begin_}; }
  Split test() const noexcept { return {test_begin_, size_}; }

 private:
  bool take(const CorpusIndex& known, Tokens tokens);

  std::vector<TextFile> files_;
  std::vector<char32_t> characters_;  ///< that occur; none for bytes
  bool scanned_ = false;
  std::optional<Vocabulary> vocabulary_;
  std::vector<std::int64_t> separator_;
  std::int64_t size_ = 0;
  std::int64_t val_begin_ = 0;
  std::int64_t test_begin_ = 0;
  Fingerprint fingerprint_;
};

}  // namespace charnn
