#include "charnn/data/corpus.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "charnn/base/error.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace charnn {
namespace {

std::vector<MappedFile> map_files(const DataConfig& config) {
  if (config.files.empty())
    fail_input("no corpus was named", "at least one text file",
               "add --data FILE, or data.files in the config file");
  std::vector<MappedFile> files;
  std::size_t bytes = 0;
  for (const std::string& path : config.files) {
    files.emplace_back(path, "corpus");
    bytes += files.back().bytes().size();
  }
  if (bytes == 0)
    fail_input(fmt::format("corpus {} is empty", config.files.front()),
               "a text with at least a few hundred characters", "name another file with --data FILE");
  return files;
}

Fingerprint fingerprint_of(const std::vector<MappedFile>& files) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  XXH3_64bits_reset(state.get());
  Fingerprint fingerprint;
  for (const MappedFile& file : files) {
    XXH3_64bits_update(state.get(), file.bytes().data(), file.bytes().size());
    fingerprint.bytes += static_cast<std::int64_t>(file.bytes().size());
  }
  fingerprint.hash = XXH3_64bits_digest(state.get());
  return fingerprint;
}

Vocabulary characters_of(const std::vector<MappedFile>& files) {
  std::vector<bool> seen(0x110000);
  for (const MappedFile& file : files)
    for (std::string_view rest = file.bytes(); !rest.empty();) seen[take_symbol(rest, Tokens::chars)] = true;
  std::vector<char32_t> symbols;
  for (char32_t symbol = 0; symbol < seen.size(); ++symbol)
    if (seen[symbol]) symbols.push_back(symbol);
  return {Tokens::chars, std::move(symbols)};
}

}  // namespace

Corpus::Corpus(const DataConfig& config, std::optional<Vocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)) {
  if (config.val_fraction + config.test_fraction >= 1)
    fail_input(fmt::format("data.val_fraction {} + data.test_fraction {} leave nothing to train on",
                           config.val_fraction, config.test_fraction),
               "a sum below 1", "lower one of them");
  if (!config.document_separator.empty())
    fail_input(fmt::format("data.document_separator = \"{}\"", config.document_separator),
               "\"\": charnn reads the corpus as one continuous text so far", "remove the key");
  std::vector<MappedFile> files = map_files(config);
  const Tokens tokens = vocabulary_ ? vocabulary_->tokens() : config.tokens;
  for (const MappedFile& file : files) require_utf8(file.bytes(), tokens, file.path());
  fingerprint_ = fingerprint_of(files);
  if (tokens == Tokens::bytes) {
    vocabulary_ = Vocabulary::all_bytes();
    size_ = fingerprint_.bytes;
    ids_ = std::move(files);
  } else {
    if (!vocabulary_) vocabulary_ = characters_of(files);
    number_characters(files);
  }
  const auto part = [&](double fraction) {
    return static_cast<std::int64_t>(static_cast<double>(size_) * fraction);
  };
  test_begin_ = size_ - part(config.test_fraction);
  val_begin_ = test_begin_ - part(config.val_fraction);
}

void Corpus::number_characters(const std::vector<MappedFile>& files) {
  const auto number = [&]<class Id>(std::vector<Id> ids) {
    UnknownSymbols unknown;
    for (const MappedFile& file : files)
      for (std::string_view rest = file.bytes(); !rest.empty();) {
        const char32_t symbol = take_symbol(rest, Tokens::chars);
        const auto id = vocabulary_->id(symbol);
        if (!id) unknown.add(symbol, static_cast<std::int64_t>(ids.size()));
        ids.push_back(static_cast<Id>(id.value_or(0)));
      }
    unknown.throw_if_any(*vocabulary_, files.size() == 1 ? files[0].path() : "the corpus");
    ids.shrink_to_fit();
    size_ = static_cast<std::int64_t>(ids.size());
    ids_ = std::move(ids);
  };
  if (vocabulary_->size() <= 256)
    number(std::vector<std::uint8_t>());
  else if (vocabulary_->size() <= 65536)
    number(std::vector<std::uint16_t>());
  else
    number(std::vector<std::uint32_t>());
}

void Corpus::copy(std::int64_t first, std::span<std::int64_t> out) const {
  const auto from_ids = [&](const auto& ids) { std::copy_n(ids.begin() + first, out.size(), out.begin()); };
  const auto from_files = [&](const std::vector<MappedFile>& files) {
    std::size_t skip = static_cast<std::size_t>(first);
    for (const MappedFile& file : files) {
      const std::string_view bytes = file.bytes();
      const std::size_t here = std::min(skip, bytes.size());
      const std::size_t count = std::min(bytes.size() - here, out.size());
      for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<unsigned char>(bytes[here + i]);
      skip -= here;
      out = out.subspan(count);
      if (out.empty()) return;
    }
  };
  if (const auto* files = std::get_if<std::vector<MappedFile>>(&ids_))
    from_files(*files);
  else if (const auto* narrow = std::get_if<std::vector<std::uint8_t>>(&ids_))
    from_ids(*narrow);
  else if (const auto* wide = std::get_if<std::vector<std::uint16_t>>(&ids_))
    from_ids(*wide);
  else
    from_ids(std::get<std::vector<std::uint32_t>>(ids_));
}

}  // namespace charnn
