// A vocabulary's JSON, as checkpoints hold it, on the first line; text to encode with it after that.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utf8.h>
#include "core/io/checkpoint.h"
#include "tests/fuzz/support.h"

using namespace charnn;

namespace {

std::optional<Vocabulary> read(std::string_view text) {
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return std::nullopt;
  std::optional<Vocabulary> vocabulary;
  try {
    fuzz::accepts([&] { vocabulary = vocabulary_from_json(json); });
  } catch (const nlohmann::json::exception&) {  // as its declaration says
  }
  return vocabulary;
}

bool covers(const Vocabulary& vocabulary, std::string_view text) {
  if (vocabulary.tokens() == Tokens::bytes) return true;
  if (!utf8::is_valid(text.begin(), text.end())) return false;
  const std::u32string symbols = utf8::utf8to32(text);
  return std::all_of(symbols.begin(), symbols.end(), [&](char32_t symbol) {
    return std::binary_search(vocabulary.symbols().begin(), vocabulary.symbols().end(), symbol);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of(data, size);
  const std::string_view line = input.substr(0, input.find('\n'));
  const std::string_view text = input.substr(std::min(line.size() + 1, input.size()));
  const std::optional<Vocabulary> vocabulary = read(line);
  if (!vocabulary) return 0;
  fuzz::require(read(vocabulary_to_json(*vocabulary).dump()) == vocabulary, "a vocabulary comes back the same");
  std::vector<std::int64_t> ids;
  const bool encoded = fuzz::accepts([&] { ids = vocabulary->encode(text, "text"); });
  fuzz::require(encoded == covers(*vocabulary, text), "just what the vocabulary covers is encoded");
  std::string decoded;
  for (const std::int64_t id : ids) decoded += vocabulary->text(id);
  fuzz::require(!encoded || decoded == text, "the ids stand for the text");
  return 0;
}
