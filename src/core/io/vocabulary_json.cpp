#include "core/io/vocabulary_json.h"
#include <nlohmann/json.hpp>
#include "core/base/utf8.h"

namespace charnn {
using nlohmann::json;
using nlohmann::ordered_json;

ordered_json vocabulary_to_json(const Vocabulary& vocabulary) {
  ordered_json value = {{"tokens", token_names[static_cast<std::size_t>(vocabulary.tokens())]}};
  if (vocabulary.tokens() == Tokens::bytes) return value;  // all 256
  value["symbols"] = ordered_json::array();
  for (const char32_t symbol : vocabulary.symbols()) value["symbols"].push_back(encode_utf8(symbol));
  return value;
}

Vocabulary vocabulary_from_json(const json& value) {
  const json& tokens = value.at("tokens");
  if (tokens == "bytes") return Vocabulary::all_bytes();
  if (tokens != "chars") throw json::other_error::create(501, "tokens are neither chars nor bytes", nullptr);
  std::vector<char32_t> symbols;
  for (const std::string text : value.at("symbols")) {
    std::string_view rest = text;
    if (text.empty() || find_invalid_utf8(text)) throw json::other_error::create(501, "symbol is not UTF-8", nullptr);
    symbols.push_back(take_code_point(rest));
    if (!rest.empty()) throw json::other_error::create(501, "symbol is more than one character", nullptr);
  }
  return {Tokens::chars, std::move(symbols)};
}
}  // namespace charnn
