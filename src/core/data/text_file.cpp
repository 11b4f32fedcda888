#include "core/data/text_file.h"
#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/utf8.h"

namespace charnn {
namespace {
constexpr std::size_t piece_bytes = std::size_t{1} << 20;

[[noreturn]] void fail_changed(const std::string& path, std::int64_t position) {
  fail_input(fmt::format("corpus {} has changed while it was in use: other text near character {}", path, position),
             "the text as it was when the program began", "restore the file, then start again");
}
}  // namespace

CharacterIndex::CharacterIndex(std::size_t bytes) {
  // Growing would take both the old and the new memory for a while; what is reserved and not used takes none.
  const std::size_t blocks = bytes / block_size + 1;
  lengths_.reserve(blocks);
  group_begins_.reserve(blocks / group + 1);
}

void CharacterIndex::add(std::string_view text) {
  while (!text.empty()) {
    const std::size_t before = text.size();
    size_ += drop_code_points(text, block_size - size_ % block_size);
    bytes_ += before - text.size();
    if (size_ % block_size != 0) continue;
    if (lengths_.size() % group == 0) group_begins_.push_back(last_begin_);
    lengths_.push_back(static_cast<std::uint16_t>(bytes_ - last_begin_));
    last_begin_ = bytes_;
  }
}

std::size_t CharacterIndex::block_begin(std::int64_t block) const noexcept {
  const std::size_t full = lengths_.size();
  const auto index = static_cast<std::size_t>(block);
  if (index >= full) return index == full ? last_begin_ : bytes_;
  const auto first = static_cast<std::ptrdiff_t>(index - index % group);
  return std::accumulate(lengths_.begin() + first, lengths_.begin() + block, group_begins_[index / group]);
}

void TextFile::read_pieces(Tokens tokens, const std::function<void(std::string_view)>& use) const {
  const std::size_t capacity = std::min(piece_bytes, file_.size());
  const auto buffer = std::make_unique_for_overwrite<char[]>(capacity);
  for (std::size_t begin = 0; begin < file_.size();) {
    std::string_view piece(buffer.get(), std::min(capacity, file_.size() - begin));
    file_.read(begin, {buffer.get(), piece.size()});
    // A character cut by the end of the piece is left to the next one; at the end of the file it is an error.
    if (tokens == Tokens::chars && begin + piece.size() < file_.size()) piece.remove_suffix(unfinished_utf8(piece));
    require_utf8(piece, tokens, file_.path(), begin);
    use(piece);
    begin += piece.size();
  }
}

void TextFile::scan(Tokens tokens, const std::function<void(std::string_view)>& use) {
  size_ = static_cast<std::int64_t>(file_.size());
  if (tokens == Tokens::bytes) return read_pieces(tokens, use);
  CharacterIndex index(file_.size());
  read_pieces(tokens, [&](std::string_view piece) {
    index.add(piece);
    use(piece);
  });
  if (index.size() == size_) return;
  size_ = index.size();
  index_ = std::move(index);
}

void TextFile::copy(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const {
  while (!out.empty()) {
    const std::size_t count = copy_some(first, vocabulary, out);
    first += static_cast<std::int64_t>(count);
    out = out.subspan(count);
  }
  file_.require_unchanged();
}

/// As copy(), but no more than a buffer holds: how many were copied.
std::size_t TextFile::copy_some(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const {
  constexpr std::int64_t block_size = CharacterIndex::block_size;
  std::array<char, 4 * block_size> buffer;  // a block of characters of 4 bytes each
  const std::int64_t skip = index_ ? first % block_size : 0;
  const auto count = std::min<std::size_t>(out.size(), static_cast<std::size_t>(block_size - skip));
  const std::size_t begin = index_ ? index_->block_begin(first / block_size) : static_cast<std::size_t>(first);
  const std::size_t end = index_ ? index_->block_begin(first / block_size + 1) : begin + count;
  const std::span<char> bytes(buffer.data(), end - begin);
  file_.read(begin, bytes);
  if (vocabulary.tokens() == Tokens::bytes) {
    std::transform(bytes.begin(), bytes.end(), out.begin(), [](char byte) { return static_cast<unsigned char>(byte); });
    return count;
  }
  std::string_view text(bytes.data(), bytes.size());
  drop_code_points(text, skip);
  std::string_view rest = text;
  const auto found = static_cast<std::size_t>(drop_code_points(rest, static_cast<std::int64_t>(count)));
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
