#include "core/data/text_file.h"
#include <algorithm>
#include <array>
#include <memory>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/utf8.h"

namespace charnn {
namespace {
constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr std::int64_t block_size = 4096;  // in characters

[[noreturn]] void fail_changed(const std::string& path, std::int64_t position) {
  fail_input(fmt::format("corpus {} has changed while it was in use: different text near character {}", path, position),
             "the text as it was when the program started", "restore the file, then start again");
}
}  // namespace

void TextFile::read_pieces(Tokens tokens, const std::function<void(std::string_view)>& use) const {
  const std::size_t capacity = std::min(piece_bytes, file_.size());
  const auto buffer = std::make_unique_for_overwrite<char[]>(capacity);
  for (std::size_t begin = 0; begin < file_.size();) {
    std::string_view piece(buffer.get(), std::min(capacity, file_.size() - begin));
    file_.read(begin, {buffer.get(), piece.size()});
    // A character that the end of the piece cuts is left to the next piece; at the end of the file it is an error.
    if (tokens == Tokens::chars && begin + piece.size() < file_.size()) piece.remove_suffix(unfinished_utf8(piece));
    require_utf8(piece, tokens, file_.path(), begin);
    use(piece);
    begin += piece.size();
  }
}

void TextFile::scan(Tokens tokens, const std::function<void(std::string_view)>& use) {
  size_ = static_cast<std::int64_t>(file_.size());
  if (tokens == Tokens::bytes) return read_pieces(tokens, use);
  // Growing would need old and new memory at once; what is reserved and not used costs nothing.
  block_begins_.reserve(file_.size() / block_size + 2);
  std::int64_t characters = 0;
  std::size_t begin = 0;
  read_pieces(tokens, [&](std::string_view piece) {
    for (std::string_view rest = piece; !rest.empty();) {
      if (characters % block_size == 0) block_begins_.push_back(begin + piece.size() - rest.size());
      characters += drop_code_points(rest, block_size - characters % block_size);
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
    const std::size_t count = copy_some(first, vocabulary, out);
    first += count;
    out = out.subspan(count);
  }
  file_.require_unchanged();
}

/// Like copy(), but stops at the end of a block. Returns how many symbols were copied.
std::size_t TextFile::copy_some(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const {
  std::array<char, 4 * block_size> buffer;  // a block of characters of 4 bytes each
  const std::int64_t block = first / block_size, skip = first % block_size;
  const std::size_t count = std::min<std::size_t>(out.size(), block_size - skip);
  const bool indexed = !block_begins_.empty();
  const std::size_t begin = indexed ? block_begins_[block] : static_cast<std::size_t>(first);
  const std::span<char> bytes(buffer.data(), indexed ? block_begins_[block + 1] - begin : count);
  file_.read(begin, bytes);
  if (vocabulary.tokens() == Tokens::bytes) {
    std::transform(bytes.begin(), bytes.end(), out.begin(), [](char byte) { return static_cast<unsigned char>(byte); });
    return count;
  }
  std::string_view text(bytes.data(), bytes.size());
  if (indexed) drop_code_points(text, skip);
  std::string_view rest = text;
  const std::size_t found = drop_code_points(rest, count);
  text.remove_suffix(rest.size());
  if (found != count || find_invalid_utf8(text)) fail_changed(file_.path(), first);
  for (std::int64_t& id : out.first(count)) {
    const auto known = vocabulary.id(take_code_point(text));
    if (!known) fail_changed(file_.path(), first);
    id = *known;
  }
  return count;
}
}  // namespace charnn
