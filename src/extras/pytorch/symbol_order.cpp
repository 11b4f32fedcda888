#include <algorithm>
#include <charconv>
#include <map>
#include <stdexcept>
#include <utility>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/io/json_config.h"
#include "extras/pytorch/torch_state_dict.h"

namespace charnn {
namespace {
using nlohmann::json;

constexpr const char* forms = "a JSON array of characters, an object {character: id}, or an object {id: character}";

std::string shown(const json& value) { return value.is_structured() ? "an entry" : value.dump(-1, ' ', true); }

[[noreturn]] void refuse(const std::string& found, const std::string& expected) {
  fail_input(found, expected, "write the characters to the file in the order of the network's ids");
}

char32_t symbol_of(const std::string& text, const std::string& what) {
  if (count_code_points(text) != 1)
    fail_input(fmt::format("{}: {} is not one character", what, shown(text)), "entries of one character each",
               "charnn knows only characters: in Python, remove the rows of words and of tokens such as <pad> from the "
               "embedding and the decoder, and omit them here");
  std::string_view rest = text;
  return take_code_point(rest);
}

std::size_t id_of(const std::string& text, const std::string& what) {
  std::size_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size())
    refuse(fmt::format("{}: key {} is not an id", what, shown(text)), forms);
  return id;
}

std::vector<char32_t> of_json(std::string_view text, const std::string& what) {
  json value;
  try {
    value = parse_strict(text);
  } catch (const std::invalid_argument& error) {
    refuse(fmt::format("{} is {}", what, error.what()), forms);
  }
  // As torch-rnn writes it (ids from 1), and nanoGPT's meta.pkl as JSON.
  for (const char* key : {"idx_to_token", "itos", "stoi", "token_to_idx"})
    if (value.is_object() && value.contains(key) && value[key].is_structured()) {
      value = json(value[key]);
      break;
    }
  if (value.is_object() && value.contains("1") && !value.contains("0")) {
    json from_zero = json::object();
    for (const auto& [key, item] : value.items()) from_zero[std::to_string(id_of(key, what) - 1)] = item;
    value = std::move(from_zero);
  }
  if (!value.is_structured()) refuse(fmt::format("{} holds neither an array nor an object", what), forms);
  std::map<std::size_t, char32_t> by_id;
  for (const auto& [key, item] : value.items()) {  // an array's keys are its indices
    std::pair<std::size_t, char32_t> entry;
    if (item.is_string())
      entry = {id_of(key, what), symbol_of(item, what)};
    else if (item.is_number_unsigned() && value.is_object())
      entry = {item.get<std::size_t>(), symbol_of(key, what)};
    else
      refuse(fmt::format("{}: {} is neither a character nor an id", what, shown(item)), forms);
    const bool too_large = entry.first >= value.size();
    if (too_large || !by_id.insert(entry).second)
      refuse(fmt::format("{}: id {} {}", what, entry.first, too_large ? "is too large" : "appears twice"),
             fmt::format("each id from 0 to {} once", value.size() - 1));
  }

  std::vector<char32_t> symbols;
  for (const auto& [id, symbol] : by_id) symbols.push_back(symbol);
  return symbols;
}

std::vector<char32_t> of_text(std::string_view text, const std::string& what) {
  if (const auto offset = find_invalid_utf8(text))
    refuse(fmt::format("{}: invalid UTF-8 at byte {}", what, *offset), "text in UTF-8");
  std::vector<char32_t> symbols;
  while (!text.empty()) symbols.push_back(take_code_point(text));
  return symbols;
}
}  // namespace

std::vector<char32_t> parse_symbol_order(std::string_view text, bool is_json, const std::string& what) {
  std::vector<char32_t> symbols = is_json ? of_json(text, what) : of_text(text, what);
  if (symbols.empty()) refuse(what + " is empty", "at least one character");
  std::map<char32_t, std::size_t> places;
  for (std::size_t i = 0; i < symbols.size(); ++i)
    if (const auto [first, added] = places.try_emplace(symbols[i], i); !added)
      refuse(fmt::format("{}: {} has the ids {} and {}", what, printable(symbols[i]), first->second, i),
             "each character once");
  return symbols;
}
}  // namespace charnn
