#include "core/data/text_file.h"
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/file_kind.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"

namespace charnn {
namespace {
constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr std::int64_t block_size = 1024;  // in characters
}  // namespace

void TextFile::read_pieces(Tokens tokens, const std::function<void(std::string_view)>& use) const {
  const std::size_t capacity = std::min(piece_bytes, bytes_);
  const auto buffer = std::make_unique_for_overwrite<char[]>(capacity);
  for (std::size_t begin = 0; begin < bytes_;) {
    std::string_view piece(buffer.get(), std::min(capacity, bytes_ - begin));
    file_.read(begin, {buffer.get(), piece.size()});
    // A character that the end of the piece cuts is left to the next piece; at the end of the file it is an error.
    if (tokens == Tokens::chars && begin + piece.size() < bytes_) piece.remove_suffix(unfinished_utf8(piece));
    if (tokens == Tokens::chars) require_text(piece, begin);
    use(piece);
    begin += piece.size();
  }
}

/// Throws Error (usage) that says what the file is, or which line is not valid UTF-8.
void TextFile::require_text(std::string_view piece, std::size_t begin) const {
  const auto invalid = find_invalid_utf8(piece);
  std::string head(std::min<std::size_t>(file_.size(), 512), '\0');
  if (begin == 0 || invalid) file_.read(0, head);
  const auto [name, cure] = begin == 0 || invalid ? kind_of_file(head, file_.path()) : FileKind{};
  const bool utf16 = name.starts_with("UTF-16");
  if (!invalid && !utf16) return;
  if (utf16 || (!name.empty() && name != "a text"))
    fail_input(fmt::format("corpus {} is {}", file_.path(), name), "UTF-8 text",
               cure.empty() ? "for files that are no text: --tokens bytes" : cure);
  std::int64_t line = 1, column = 1;
  std::string text;  // of the line, up to the place
  std::vector<char> before(1 << 16);
  const std::size_t place = begin + *invalid;
  for (std::size_t at = 0; at < place; at += before.size()) {
    before.resize(std::min(before.size(), place - at));
    file_.read(at, before);
    for (const char c : before) {
      line += c == '\n' ? 1 : 0;
      text += c;
      column += (c & 0xc0) != 0x80 ? 1 : 0;
      if (c != '\n') continue;
      text.clear();
      column = 1;
    }
    if (text.size() > 200) text.erase(0, text.size() - 200 + unfinished_utf8(text));
  }
  const bool latin = std::none_of(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(*invalid),
                                  [](char c) { return (c & 0x80) != 0; });
  fail_input(
      fmt::format("{}: invalid UTF-8 at byte {} (value 0x{:02x}), line {}, column {}, after \"{}\"", file_.path(),
                  place, static_cast<unsigned char>(piece[*invalid]), line, column,
                  safe_for_terminal(text.substr(text.size() - std::min<std::size_t>(text.size(), 40)))),
      "UTF-8 text, since tokens is \"chars\"",
      latin ? "convert the text (for example iconv -f LATIN1 -t UTF-8), or train with --tokens bytes"
            : "the text before it is UTF-8: correct that place, or drop such bytes with iconv -c -f UTF-8 -t UTF-8");
}

/// A newline, or CR and newline.
void TextFile::drop_trailing_newline() {
  std::array<char, 2> end{};
  if (bytes_ < end.size()) return;
  file_.read(bytes_ - end.size(), end);
  if (end[1] == '\n') bytes_ -= end[0] == '\r' ? 2 : 1;
}

void TextFile::scan(Tokens tokens, const std::function<void(std::string_view)>& use, const Vocabulary* known,
                    OnUnknown unknown) {
  if (known != nullptr && !known->id(U'\n')) drop_trailing_newline();
  size_ = static_cast<std::int64_t>(bytes_);
  if (tokens == Tokens::bytes) return read_pieces(tokens, use);
  unknown_ = unknown;
  const bool skips = known != nullptr && unknown == OnUnknown::skip;
  // Growing would need old and new memory at once; what is reserved and not used costs nothing.
  block_begins_.reserve(bytes_ / block_size + 2);
  std::int64_t characters = 0;
  std::size_t begin = 0;
  read_pieces(tokens, [&](std::string_view piece) {
    for (std::string_view rest = piece; !rest.empty();) {
      const std::size_t place = begin + piece.size() - rest.size();
      const bool begins_block = characters % block_size == 0;
      std::int64_t count = 0;
      if (!skips)
        count = drop_code_points(rest, block_size - characters % block_size);
      else if (known->id(take_code_point(rest)))
        count = 1;
      if (begins_block && count > 0) block_begins_.push_back(place);
      characters += count;
    }
    begin += piece.size();
    use(piece);
  });
  block_begins_.push_back(begin);
  if (characters == size_) block_begins_ = {};
  size_ = characters;
}

void TextFile::copy(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const {
  while (!out.empty()) {
    const std::int64_t count = copy_some(first, vocabulary, out);
    first += count;
    out = out.subspan(count);
  }
  file_.require_unchanged();
}

/// Like copy(), but stops at the end of a block. Returns how many symbols were copied.
std::int64_t TextFile::copy_some(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const {
  const std::int64_t block = first / block_size, skip = first % block_size;
  const std::int64_t count = std::min(std::ssize(out), block_size - skip);
  const bool indexed = !block_begins_.empty();
  const std::size_t begin = indexed ? block_begins_[block] : static_cast<std::size_t>(first);
  std::vector<char> bytes(indexed ? block_begins_[block + 1] - begin : static_cast<std::size_t>(count));
  file_.read(begin, bytes);
  if (vocabulary.tokens() == Tokens::bytes) {
    std::transform(bytes.begin(), bytes.end(), out.begin(), [](char byte) { return static_cast<unsigned char>(byte); });
    return count;
  }
  std::string_view text(bytes.data(), bytes.size());
  bool unchanged = true;
  const bool skips = unknown_ == OnUnknown::skip;
  if (!skips) {  // then a symbol is a character, and whole stretches are passed over at once
    if (indexed) drop_code_points(text, skip);
    std::string_view rest = text;
    unchanged = drop_code_points(rest, count) == count;
    text.remove_suffix(rest.size());
  }
  unchanged = unchanged && !find_invalid_utf8(text);
  const auto space = unknown_ == OnUnknown::replace ? vocabulary.id(U' ') : std::nullopt;
  const auto next = [&]() -> std::optional<std::int64_t> {
    while (!text.empty()) {
      if (const auto id = vocabulary.id(take_code_point(text))) return id;
      if (!skips) return space;
    }
    return std::nullopt;
  };
  for (std::int64_t i = 0; i < skip && skips && indexed && unchanged; ++i) unchanged = next().has_value();
  for (std::int64_t i = 0; i < count && unchanged; ++i) {
    const auto id = next();
    unchanged = id.has_value();
    out[i] = id.value_or(0);
  }
  if (!unchanged)
    fail_input(
        fmt::format("corpus {} has changed while it was in use: different text near character {}", file_.path(), first),
        "the text as it was when the program started", "restore the file, then start again");
  return count;
}
}  // namespace charnn
