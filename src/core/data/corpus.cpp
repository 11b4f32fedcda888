#include "core/data/corpus.h"
#include <algorithm>
#include <array>
#include <memory>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/utf8.h"

namespace charnn {
namespace {
constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr std::int64_t block_size = 4096;  // in characters

/// Reads the text again, if it has unknown characters, to say where they are.
void require_known(const std::vector<char32_t>& characters, const Vocabulary& vocabulary,
                   const std::vector<TextFile>& files) {
  if (std::all_of(characters.begin(), characters.end(), [&](char32_t c) { return vocabulary.id(c); })) return;
  UnknownSymbols unknown;
  std::int64_t position = 0;
  for (const TextFile& file : files)
    file.read_pieces(Tokens::chars, [&](std::string_view rest) {
      for (; !rest.empty(); ++position) {
        const char32_t symbol = take_code_point(rest);
        if (!vocabulary.id(symbol)) unknown.add(symbol, position);
      }
    });
  unknown.throw_if_any(vocabulary, files.size() == 1 ? files[0].file().path() : "the corpus");
}
}  // namespace

Section describe(DataConfig& c) {
  return {"data",
          "The text to learn from",
          {Field::text_list("files", c.files,
                            "text files, joined in the order given; paths are relative to the current folder")
               .with_flag("data")
               .with_value_name("FILE"),
           Field::choice("tokens", c.tokens, token_names,
                         "chars: a symbol is a Unicode code point of UTF-8 text; bytes: a symbol is a byte of any file")
               .fixed_for_run(),
           Field::real("val_fraction", c.val_fraction, from_to_below(0, 1),
                       "share of the text kept for validation, after the training part; 0: none")
               .fixed_for_run(),
           Field::real("test_fraction", c.test_fraction, from_to_below(0, 1),
                       "share of the text kept for testing, at its end; never used in training")
               .fixed_for_run(),
           Field::text("document_separator", c.document_separator,
                       "string between two documents, for example a blank line (in a shell: $'\\n\\n'): the state is "
                       "reset after it, and no gradient crosses it; empty: one continuous text")
               .fixed_for_run()}};
}

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
    const std::int64_t count = copy_some(first, vocabulary, out);
    first += count;
    out = out.subspan(count);
  }
  file_.require_unchanged();
}

/// Like copy(), but stops at the end of a block. Returns how many symbols were copied.
std::int64_t TextFile::copy_some(std::int64_t first, const Vocabulary& vocabulary, std::span<std::int64_t> out) const {
  std::array<char, 4 * block_size> buffer;  // a block of characters of 4 bytes each
  const std::int64_t block = first / block_size, skip = first % block_size;
  const std::int64_t count = std::min(std::ssize(out), block_size - skip);
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
  bool unchanged = drop_code_points(rest, count) == count;
  text.remove_suffix(rest.size());
  unchanged = unchanged && !find_invalid_utf8(text);
  for (std::int64_t i = 0; i < count && unchanged; ++i) {
    const auto id = vocabulary.id(take_code_point(text));
    unchanged = id.has_value();
    out[i] = id.value_or(0);
  }
  if (!unchanged)
    fail_input(
        fmt::format("corpus {} has changed while it was in use: different text near character {}", file_.path(), first),
        "the text as it was when the program started", "restore the file, then start again");
  return count;
}

Corpus::Corpus(const DataConfig& config, std::optional<Vocabulary> vocabulary) {
  if (config.val_fraction + config.test_fraction >= 1)
    fail_input(fmt::format("data.val_fraction {} + data.test_fraction {} leave nothing to train on",
                           config.val_fraction, config.test_fraction),
               "a sum below 1", "lower one of them");
  if (config.files.empty())
    fail_input("no corpus given", "at least one text file", "add --data FILE, or data.files in the config file");
  for (const std::string& path : config.files) files_.emplace_back(path);
  const Tokens tokens = vocabulary ? vocabulary->tokens() : config.tokens;
  scan(tokens);
  if (size_ == 0)
    fail_input(fmt::format("corpus {} is empty", config.files.front()), "a text with at least a few hundred characters",
               "choose another file");
  if (tokens == Tokens::bytes)
    vocabulary = Vocabulary::all_bytes();
  else if (!vocabulary)
    vocabulary = Vocabulary(tokens, characters_);
  use(std::move(*vocabulary), config.document_separator);
  const auto part = [&](double fraction) { return static_cast<std::int64_t>(static_cast<double>(size_) * fraction); };
  test_begin_ = size_ - part(config.test_fraction);
  val_begin_ = test_begin_ - part(config.val_fraction);
}

void Corpus::scan(Tokens tokens) {
  Hash64 hash;
  std::vector<std::uint8_t> seen(code_point_limit);
  for (TextFile& file : files_) {
    file.scan(tokens, [&](std::string_view piece) {
      hash.add(piece);
      if (tokens == Tokens::chars) mark_code_points(piece, seen);
    });
    size_ += file.size();
    fingerprint_.bytes += file.file().size();
  }
  fingerprint_.hash = hash.value();
  for (char32_t symbol = 0; symbol < code_point_limit; ++symbol)
    if (seen[symbol] != 0) characters_.push_back(symbol);
}

void Corpus::use(Vocabulary vocabulary, const std::string& document_separator) {
  require_known(characters_, vocabulary, files_);
  vocabulary_ = std::move(vocabulary);
  separator_ = vocabulary_->encode(document_separator, "data.document_separator");
}

std::vector<std::int64_t> Corpus::copy_with_starts(std::int64_t first, std::span<std::int64_t> out) const {
  std::vector<std::int64_t> starts;
  if (!has_documents()) {
    copy(first, out);
    return starts;
  }
  // A separator may begin before the first symbol of `out`.
  const auto last = static_cast<std::int64_t>(separator_.size()) - 1;
  const std::int64_t before = std::min(first, last);
  std::vector<std::int64_t> text(before + out.size());
  copy(first - before, text);
  std::copy(text.begin() + before, text.end(), out.begin());
  for (auto at = text.begin(); (at = std::search(at, text.end(), separator_.begin(), separator_.end())) != text.end();
       ++at)
    starts.push_back(at - text.begin() + last - before);
  return starts;
}

void Corpus::copy(std::int64_t first, std::span<std::int64_t> out) const {
  for (const TextFile& file : files_) {
    const std::int64_t here = std::min(first, file.size());
    const std::size_t count = std::min<std::size_t>(file.size() - here, out.size());
    file.copy(here, *vocabulary_, out.first(count));
    first -= here;
    out = out.subspan(count);
    if (out.empty()) return;
  }
}
}  // namespace charnn
