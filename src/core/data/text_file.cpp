#include "core/data/text_file.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/utf8.h"

namespace charnn {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

[[noreturn]] void fail_changed(const std::string& path, std::int64_t position) {
  fail_input(fmt::format("corpus {} has changed while it was in use: other text near character {}", path, position),
             "the text as it was when the program began", "restore the file, then start again");
}

}  // namespace

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

std::uint64_t TextFile::sample() const {
  constexpr std::size_t pieces = 64, length = 4096;
  std::vector<char> text(std::min(pieces * length, file_.size()));
  if (text.size() == file_.size()) {
    file_.read(0, text);
  } else {
    for (std::size_t i = 0; i < pieces; ++i)
      file_.read((file_.size() - length) / (pieces - 1) * i, std::span(text).subspan(i * length, length));
  }
  return hash64({text.data(), text.size()});
}

bool TextFile::take(const CorpusIndex::File& known, Tokens tokens) {
  const auto bytes = static_cast<std::int64_t>(file_.size());
  if (known.stamp != file_.stamp() || known.sample != sample()) return false;
  std::optional<CharacterIndex> index;
  if (!known.block_lengths.empty() || known.symbols != bytes) {
    index = CharacterIndex::from(known.block_lengths, known.symbols, file_.size());
    if (!index || tokens == Tokens::bytes) return false;
  }
  size_ = known.symbols;
  index_ = std::move(index);
  return true;
}

CorpusIndex::File TextFile::index() const {
  return {file_.stamp(), sample(), size_, index_ ? index_->block_lengths() : std::vector<std::uint16_t>()};
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
