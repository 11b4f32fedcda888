#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>
#include "core/base/describe.h"
#include "core/data/document_order.h"
#include "core/data/text_file.h"

namespace charnn {
/// What a document is: a part of the text between two separators, or a file.
enum class Documents { separated, files };
inline constexpr std::array<const char*, 2> documents_names{"separated", "files"};
enum class Order { as_is, shuffled };
inline constexpr std::array<const char*, 2> order_names{"as_is", "shuffled"};

struct DataConfig {
  std::vector<std::string> files = {};
  Tokens tokens = Tokens::chars;
  double val_fraction = 0.1, test_fraction = 0.0;
  std::string document_separator = {};
  Documents documents = Documents::separated;
  Order order = Order::as_is;
  std::int64_t shuffle_seed = 1;
};
Section describe(DataConfig& config);

/// The separator of documents that are files: ASCII's file separator.
inline constexpr const char* file_separator = "\x1c";

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
/// so memory does not grow with the text (except by 8 MB per GB where characters have several bytes, and with the
/// number of documents where these are shuffled).
class Corpus {
 public:
  /// Without `vocabulary`, uses all symbols of the text (or all 256 bytes). Throws Error (usage): no files, empty text,
  /// invalid UTF-8, symbols of the text or of the document separator outside the vocabulary, a separator that does not
  /// occur, fractions above 1; and like find_text_files().
  /// `unknown`: for a text to be measured, what becomes of symbols outside the vocabulary.
  explicit Corpus(const DataConfig& config, std::optional<Vocabulary> vocabulary = std::nullopt,
                  std::optional<OnUnknown> unknown = std::nullopt);
  /// Numbers the symbols by another vocabulary. Errors as above.
  void use(Vocabulary vocabulary, const std::string& document_separator);

  std::size_t files() const noexcept { return files_.size(); }
  const std::string& note() const noexcept { return note_; }  ///< what the user should know; may be empty
  /// The share of each symbol in a part of the text, from a million symbols spread over it; `prior` is added to each
  /// count.
  std::vector<double> frequencies(Split split, double prior) const;
  /// How unlike the frequencies of symbols are in the validation and the training part: the Kullback-Leibler divergence
  /// in nats, less what chance explains. About 0.01 to 0.03 in ordinary texts, 0.25 in a sorted list of words.
  double unlikeness() const;

  const Vocabulary& vocabulary() const noexcept { return *vocabulary_; }
  std::int64_t size() const noexcept { return size_; }  ///< in symbols
  const Fingerprint& fingerprint() const noexcept { return fingerprint_; }

  /// Ids of symbols [first, first + out.size()). Throws Error if a file cannot be read or has changed.
  void copy(std::int64_t first, std::span<std::int64_t> out) const;

  bool has_documents() const noexcept { return !separator_.empty(); }  ///< whether data.document_separator is set
  /// Throws Error (usage) if the separator never occurs.
  void require_separator() const;
  /// Like copy(); also returns the offsets in `out`, ascending, where a document starts. A document starts at the last
  /// symbol of its separator: it is fed from a zero state and predicts the document's first character.
  std::vector<std::int64_t> copy_with_starts(std::int64_t first, std::span<std::int64_t> out) const;

  /// About 100 symbols of the training part up to the end of a line (or of a sentence, where there are no lines): after
  /// them a network begins as the text begins lines. Empty where there are documents, which begin by themselves.
  std::vector<std::int64_t> opening() const;

  Split all() const noexcept { return {0, size_}; }
  Split train() const noexcept { return {0, val_begin_}; }
  Split val() const noexcept { return {val_begin_, test_begin_}; }
  Split test() const noexcept { return {test_begin_, size_}; }

 private:
  void scan(Tokens tokens, const Vocabulary* known, OnUnknown unknown);
  void add_note(const std::string& more);
  void divide();
  void divide_by_length();
  void copy_text(std::int64_t first, std::span<std::int64_t> out) const;  ///< of the text in its own order
  std::vector<std::int64_t> document_begins(std::size_t most) const;
  DataConfig config_;
  std::vector<TextFile> files_;
  std::vector<std::int64_t> file_begins_;
  std::int64_t between_files_ = 0;  ///< symbols of the separator there: 0 or 1
  std::optional<DocumentOrder> order_;
  std::string note_;
  std::vector<char32_t> characters_;  ///< that occur in the text, ascending; empty for bytes
  std::optional<Vocabulary> vocabulary_;
  std::vector<std::int64_t> separator_;
  std::int64_t size_ = 0, val_begin_ = 0, test_begin_ = 0;
  Fingerprint fingerprint_;
};
}  // namespace charnn
