#include "core/data/vocabulary.h"
#include <algorithm>
#include <numeric>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"

namespace charnn {
char32_t take_symbol(std::string_view& text, Tokens tokens) {
  if (tokens == Tokens::chars) return take_code_point(text);
  const char32_t byte = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  return byte;
}

void require_utf8(std::string_view text, Tokens tokens, std::string_view what, std::size_t begin) {
  if (tokens != Tokens::chars) return;
  if (const auto offset = find_invalid_utf8(text))
    fail_input(fmt::format("{}: invalid UTF-8 at byte {} (value 0x{:02x})", what, begin + *offset,
                           static_cast<unsigned char>(text[*offset])),
               "UTF-8 text, since tokens is \"chars\"",
               "convert the text (for example iconv -f LATIN1 -t UTF-8), or train with --tokens bytes");
}

Vocabulary::Vocabulary(Tokens tokens, std::vector<char32_t> symbols) : tokens_(tokens), symbols_(std::move(symbols)) {
  const char32_t limit = tokens == Tokens::bytes ? 0x100 : code_point_limit;
  // UTF-8 has no surrogates (0xd800 to 0xdfff).
  const auto impossible = [&](char32_t symbol) { return symbol >= limit || (symbol >= 0xd800 && symbol < 0xe000); };
  if (symbols_.empty() || std::any_of(symbols_.begin(), symbols_.end(), impossible) ||
      std::adjacent_find(symbols_.begin(), symbols_.end(), std::greater_equal<>()) != symbols_.end())
    fail_input("the vocabulary is empty, not in ascending order, or contains an impossible symbol", "ascending symbols",
               "the file is damaged; use another checkpoint");
  id_of_.assign(symbols_.back() + 1, -1);
  for (std::size_t i = 0; i < symbols_.size(); ++i) id_of_[symbols_[i]] = static_cast<std::int32_t>(i);
}

Vocabulary Vocabulary::all_bytes() {
  std::vector<char32_t> symbols(256);
  std::iota(symbols.begin(), symbols.end(), char32_t{0});
  return {Tokens::bytes, std::move(symbols)};
}

std::optional<std::int64_t> Vocabulary::id(char32_t symbol) const noexcept {
  if (symbol >= id_of_.size() || id_of_[symbol] < 0) return std::nullopt;
  return id_of_[symbol];
}

std::string Vocabulary::text(std::int64_t id) const {
  const char32_t symbol = symbols_.at(id);
  return tokens_ == Tokens::chars ? encode_utf8(symbol) : std::string(1, static_cast<char>(symbol));
}

std::vector<std::int64_t> Vocabulary::encode(std::string_view text, std::string_view what) const {
  return charnn::encode(*this, text, what, OnUnknown::error, "use only these, or leave it out").ids;
}

EncodedText encode(const Vocabulary& vocabulary, std::string_view text, std::string_view what, OnUnknown policy,
                   std::string_view hint) {
  require_utf8(text, vocabulary.tokens(), what);
  EncodedText encoded;
  UnknownSymbols unknown;
  const auto space = policy == OnUnknown::replace ? vocabulary.id(U' ') : std::nullopt;
  for (std::int64_t position = 0; !text.empty(); ++position) {
    const char32_t symbol = take_symbol(text, vocabulary.tokens());
    const auto known = vocabulary.id(symbol);
    if (!known) unknown.add(symbol, position);
    if (known || space) encoded.ids.push_back(known ? *known : *space);
  }
  encoded.note = unknown.settle(vocabulary, what, policy, hint);
  return encoded;
}

void UnknownSymbols::add(char32_t symbol, std::int64_t position) {
  ++places_.try_emplace(symbol, position, 0).first->second.second;
}

std::string UnknownSymbols::list() const {
  constexpr std::size_t shown_at_most = 20;
  std::string list;
  std::size_t shown = 0;
  for (const auto& [symbol, place] : places_) {
    if (shown++ == shown_at_most) return list + fmt::format(" and {} more", places_.size() - shown_at_most);
    list += fmt::format("{}{} (position {}{})", list.empty() ? "" : ", ", printable(symbol), place.first,
                        place.second > 1 ? fmt::format(", {} times", place.second) : "");
  }
  return list;
}

std::string UnknownSymbols::settle(const Vocabulary& vocabulary, std::string_view what, OnUnknown policy,
                                   std::string_view hint) const {
  if (places_.empty()) return "";
  const bool replaces = policy == OnUnknown::replace && vocabulary.id(U' ');
  if (replaces || policy == OnUnknown::skip)
    return fmt::format("{} has characters that the model's vocabulary lacks; {}: {}", what,
                       replaces ? "replaced by a space" : "left out", list());
  fail_input(
      fmt::format("{} has {} that the model's vocabulary lacks: {}", what,
                  places_.size() == 1 ? "a character" : fmt::format("{} characters", places_.size()), list()),
      fmt::format("only the {} characters that the model was trained on (charnn info lists them)", vocabulary.size()),
      policy == OnUnknown::replace ? "there is no space among them to replace others: --unknown skip" : hint);
}
}  // namespace charnn
