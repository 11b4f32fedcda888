#include "extras/pytorch/symbol_order.h"
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/io/json_config.h"

namespace charnn {
namespace {
using nlohmann::json;

constexpr const char* forms =
    "a JSON array of characters, an object {character: number}, or an object {number: character}";

std::string shown(const json& value) { return value.dump(-1, ' ', true); }

[[noreturn]] void refuse(const std::string& found, const std::string& expected) {
  fail_input(found, expected, "write the characters to the file in the order of the network's numbers");
}

char32_t symbol_of(const json& value, const std::string& what) {
  if (!value.is_string())
    refuse(fmt::format("{}: {} is no character", what, value.is_structured() ? "an entry" : shown(value)), forms);
  const std::string text = value.get<std::string>();
  if (count_code_points(text) != 1)
    fail_input(fmt::format("{}: {} is not one character", what, shown(value)), "entries of one character each",
               "charnn has characters only: in Python, remove the rows of words and of marks such as <pad> from the "
               "embedding and the decoder, and leave these out here");
  std::string_view rest = text;
  return take_code_point(rest);
}

std::size_t number_of(const std::string& text, const std::string& what) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    refuse(fmt::format("{}: key {} is no number", what, shown(text)), forms);
  return number;
}

std::vector<char32_t> in_order(const std::vector<std::pair<std::size_t, char32_t>>& numbered, const std::string& what) {
  std::vector<std::optional<char32_t>> places(numbered.size());
  for (const auto& [number, symbol] : numbered) {
    if (number >= places.size() || places[number])
      refuse(fmt::format("{}: number {} {}", what, number,
                         number < places.size() ? "stands twice" : fmt::format("among {} characters", places.size())),
             fmt::format("each number from 0 to {} once", places.size() - 1));
    places[number] = symbol;
  }
  std::vector<char32_t> symbols;
  symbols.reserve(places.size());
  for (const auto& place : places) symbols.push_back(*place);  // as many numbers as places: none is left
  return symbols;
}

std::vector<char32_t> of_json(std::string_view text, const std::string& what) {
  json value;
  try {
    value = parse_strict(text);
  } catch (const std::invalid_argument& error) {
    refuse(fmt::format("{} is {}", what, error.what()), forms);
  }
  if (value.is_array()) {
    std::vector<char32_t> symbols;
    for (const json& item : value) symbols.push_back(symbol_of(item, what));
    return symbols;
  }
  if (!value.is_object()) refuse(fmt::format("{} holds neither an array nor an object", what), forms);
  std::vector<std::pair<std::size_t, char32_t>> numbered;
  for (const auto& [key, item] : value.items()) {
    if (item.is_string())
      numbered.emplace_back(number_of(key, what), symbol_of(item, what));
    else if (item.is_number_unsigned())
      numbered.emplace_back(item.get<std::size_t>(), symbol_of(key, what));
    else
      refuse(fmt::format("{}: {} is no number", what, item.is_structured() ? "an entry" : shown(item)), forms);
  }
  return in_order(numbered, what);
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
      refuse(fmt::format("{}: {} stands at {} and {} (counted from 0)", what, printable(symbols[i]), first->second, i),
             "each character once");
  return symbols;
}
}  // namespace charnn
