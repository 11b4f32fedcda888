#include "core/data/corpus.h"
#include <algorithm>
#include <functional>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/utf8.h"

namespace charnn {
namespace {
std::vector<TextFile> open_files(const DataConfig& config) {
  if (config.files.empty())
    fail_input("no corpus was named", "at least one text file", "add --data FILE, or data.files in the config file");
  std::vector<TextFile> files;
  for (const std::string& path : config.files) files.emplace_back(path);
  if (std::all_of(files.begin(), files.end(), [](const TextFile& file) { return file.file().size() == 0; }))
    fail_input(fmt::format("corpus {} is empty", config.files.front()), "a text with at least a few hundred characters",
               "name another file");
  return files;
}

/// What one reading of the whole text tells.
struct Scan {
  Fingerprint fingerprint;
  std::vector<char32_t> characters;  ///< ascending; none for bytes
};

Scan scan_files(std::vector<TextFile>& files, Tokens tokens) {
  Hash64 hash;
  std::vector<std::uint8_t> seen(code_point_limit);
  Scan scan;
  for (TextFile& file : files) {
    file.scan(tokens, [&](std::string_view piece) {
      hash.add(piece);
      if (tokens == Tokens::chars) mark_code_points(piece, seen);
    });
    scan.fingerprint.bytes += static_cast<std::int64_t>(file.file().size());
  }
  scan.fingerprint.hash = hash.value();
  for (char32_t symbol = 0; symbol < code_point_limit; ++symbol)
    if (seen[symbol] != 0) scan.characters.push_back(symbol);
  return scan;
}

/// Reads the text again only to say where the unknown characters are, if it has any.
void require_known(const std::vector<char32_t>& characters, const Vocabulary& vocabulary,
                   const std::vector<TextFile>& files) {
  if (std::all_of(characters.begin(), characters.end(), [&](char32_t c) { return vocabulary.id(c); })) return;
  UnknownSymbols unknown;
  std::int64_t position = 0;
  for (const TextFile& file : files)
    file.read_pieces(Tokens::chars, [&](std::string_view rest) {
      for (; !rest.empty(); ++position) {
        const char32_t symbol = take_symbol(rest, Tokens::chars);
        if (!vocabulary.id(symbol)) unknown.add(symbol, position);
      }
    });
  unknown.throw_if_any(vocabulary, files.size() == 1 ? files[0].file().path() : "the corpus");
}
}  // namespace

Corpus::Corpus(const DataConfig& config, std::optional<Vocabulary> vocabulary) {
  if (config.val_fraction + config.test_fraction >= 1)
    fail_input(fmt::format("data.val_fraction {} + data.test_fraction {} leave nothing to train on", config.val_fraction,
                           config.test_fraction),
               "a sum below 1", "lower one of them");
  files_ = open_files(config);
  const Tokens tokens = vocabulary ? vocabulary->tokens() : config.tokens;
  Scan scan = scan_files(files_, tokens);
  fingerprint_ = scan.fingerprint;
  characters_ = std::move(scan.characters);
  if (tokens == Tokens::bytes)
    vocabulary = Vocabulary::all_bytes();
  else if (!vocabulary)
    vocabulary = Vocabulary(tokens, characters_);
  use(std::move(*vocabulary), config.document_separator);
  for (const TextFile& file : files_) size_ += file.size();
  const auto part = [&](double fraction) {
    return static_cast<std::int64_t>(static_cast<double>(size_) * fraction);
  };
  test_begin_ = size_ - part(config.test_fraction);
  val_begin_ = test_begin_ - part(config.val_fraction);
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
  // A separator may begin before the stretch, and end in it.
  const auto last = static_cast<std::int64_t>(separator_.size()) - 1;
  const std::int64_t before = std::min(first, last);
  std::vector<std::int64_t> text(static_cast<std::size_t>(before) + out.size());
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
    const auto count = std::min(static_cast<std::size_t>(file.size() - here), out.size());
    file.copy(here, *vocabulary_, out.first(count));
    first -= here;
    out = out.subspan(count);
    if (out.empty()) return;
  }
}
}  // namespace charnn
