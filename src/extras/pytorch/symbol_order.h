#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace charnn {
/// The characters of a network made elsewhere, in the order of its numbers. `is_json`: an array of characters, an
/// object from characters to numbers, or one from numbers to characters; else `text` is the characters themselves, one
/// after the other. `what` names it in messages. Throws Error (usage) if a number is missing, a character comes twice,
/// or something is no single character.
std::vector<char32_t> parse_symbol_order(std::string_view text, bool is_json, const std::string& what);
}  // namespace charnn
