#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace charnn {
/// Symbols are Unicode code points of UTF-8 text, or bytes.
enum class Tokens { chars, bytes };
inline constexpr std::array<const char*, 2> token_names{"chars", "bytes"};

/// The symbols a model knows, numbered 0..size-1 in ascending order, so that the same text gives the same ids
/// everywhere.
class Vocabulary {
 public:
  /// Throws Error (usage) unless the symbols are in ascending order, without repetition, and encodable.
  Vocabulary(Tokens tokens, std::vector<char32_t> symbols);
  static Vocabulary all_bytes();

  Tokens tokens() const noexcept { return tokens_; }
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(symbols_.size()); }
  const std::vector<char32_t>& symbols() const noexcept { return symbols_; }

  std::optional<std::int64_t> id(char32_t symbol) const noexcept;
  std::string text(std::int64_t id) const;  ///< UTF-8 of the symbol, or the byte itself

  /// Ids of `text`, which messages call `what` ("the prompt", a file name). Throws Error (usage) if it is not valid
  /// UTF-8 (chars), or lists the symbols outside the vocabulary with their positions.
  std::vector<std::int64_t> encode(std::string_view text, std::string_view what) const;

  bool operator==(const Vocabulary& other) const = default;

 private:
  Tokens tokens_;
  std::vector<char32_t> symbols_;
  std::vector<std::int32_t> id_of_;  ///< indexed by symbol; -1: unknown
};

/// Removes the first symbol of `text` and returns it: a code point of valid UTF-8, or a byte.
char32_t take_symbol(std::string_view& text, Tokens tokens);

/// For chars, throws Error (usage) with the byte offset if `text` is not valid UTF-8. `text` begins at byte `begin` of
/// the file or string that messages call `what`.
void require_utf8(std::string_view text, Tokens tokens, std::string_view what, std::size_t begin = 0);

/// How to treat symbols outside the vocabulary: refuse the text, leave them out, replace each by a space.
enum class OnUnknown { error, skip, replace };
inline constexpr std::array<const char*, 3> on_unknown_names{"error", "skip", "replace"};

struct EncodedText {
  std::vector<std::int64_t> ids;
  std::string note;  ///< which symbols were left out or replaced; empty: none
};

inline constexpr std::string_view unknown_may_be_left_out =
    "sample, eval and score can leave them out: --unknown skip; a network learns them by charnn train --init-from RUN "
    "--extend-vocab";

/// Like Vocabulary::encode(), with a policy for unknown symbols. `replace` needs a space in the vocabulary.
EncodedText encode(const Vocabulary& vocabulary, std::string_view text, std::string_view what, OnUnknown policy,
                   std::string_view hint = unknown_may_be_left_out);

/// Collects the symbols of a text that a vocabulary lacks, for one message about all of them.
class UnknownSymbols {
 public:
  void add(char32_t symbol, std::int64_t position);
  /// Says what became of them under a policy; empty if there are none. Throws Error (usage) with their list if the
  /// policy is `error`, or `replace` without a space in the vocabulary.
  /// `hint` is part of the message.
  std::string settle(const Vocabulary& vocabulary, std::string_view what, OnUnknown policy,
                     std::string_view hint = unknown_may_be_left_out) const;

 private:
  std::string list() const;                                           ///< each with its first position and count
  std::map<char32_t, std::pair<std::int64_t, std::int64_t>> places_;  ///< first position and count
};
}  // namespace charnn
