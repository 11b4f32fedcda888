#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "core/data/data_config.h"

namespace charnn {
/// The symbols a model knows, numbered 0..size-1 in ascending order of code point (or byte), so that the same text
/// gives the same numbers everywhere.
class Vocabulary {
 public:
  /// Ascending, without repetition, and what symbols can be: bytes, or code points that UTF-8 can hold.
  static bool can_be(Tokens tokens, const std::vector<char32_t>& symbols) noexcept;

  /// Throws Error (usage) if the symbols cannot be().
  Vocabulary(Tokens tokens, std::vector<char32_t> symbols);

  static Vocabulary all_bytes();

  Tokens tokens() const noexcept { return tokens_; }
  std::int64_t size() const noexcept { return static_cast<std::int64_t>(symbols_.size()); }
  const std::vector<char32_t>& symbols() const noexcept { return symbols_; }

  std::optional<std::int64_t> id(char32_t symbol) const noexcept;

  /// UTF-8 of the symbol, or the byte itself.
  std::string text(std::int64_t id) const;

  /// Ids of `text`. `what` names it in messages ("prompt", a file name). Throws Error (usage) if it is not valid UTF-8
  /// (chars) or has symbols outside the vocabulary; each of these is named with its place.
  std::vector<std::int64_t> encode(std::string_view text, std::string_view what) const;

  bool operator==(const Vocabulary& other) const noexcept {
    return tokens_ == other.tokens_ && symbols_ == other.symbols_;
  }

 private:
  Tokens tokens_;
  std::vector<char32_t> symbols_;
  std::vector<std::int32_t> id_of_;  ///< indexed by symbol; -1: unknown
};

/// Front symbol of `text`, which is then shortened by it: a code point of valid UTF-8, or a byte.
char32_t take_symbol(std::string_view& text, Tokens tokens);

/// Throws Error (usage) with the byte offset if `text` is to be read as chars and is not valid UTF-8. `text` begins at
/// byte `begin` of what `what` names.
void require_utf8(std::string_view text, Tokens tokens, std::string_view what, std::size_t begin = 0);

/// What to do about symbols that a vocabulary lacks: refuse them, leave them out, put a space in their place.
enum class OnUnknown { error, skip, replace };
inline constexpr std::array<const char*, 3> on_unknown_names{"error", "skip", "replace"};

struct EncodedText {
  std::vector<std::int64_t> ids;
  std::string note;  ///< what was left out or replaced, and where; empty: nothing
};

/// As Vocabulary::encode(), but for what `policy` says. Throws Error (usage), too, if there is no space to put in
/// place.
EncodedText encode(const Vocabulary& vocabulary, std::string_view text, std::string_view what, OnUnknown policy);

/// The symbols a text has outside a vocabulary, gathered for one message.
class UnknownSymbols {
 public:
  void add(char32_t symbol, std::int64_t position);
  bool empty() const noexcept { return places_.empty(); }
  std::string list() const;  ///< each with its first place and count
  /// Throws Error (usage) naming each symbol with its first place and count, if there are any.
  void throw_if_any(const Vocabulary& vocabulary, std::string_view what) const;

 private:
  struct Places {
    std::int64_t first;
    std::int64_t count;
  };
  std::map<char32_t, Places> places_;
};
}  // namespace charnn
