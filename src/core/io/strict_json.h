#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <nlohmann/json.hpp>

namespace charnn {
/// Parses JSON that is not to be trusted: a key that appears twice (of which nlohmann would silently keep the last),
/// nesting deeper than 8, and anything that is no JSON are refused. Throws std::invalid_argument.
nlohmann::json parse_strict(std::string_view text);

/// A hash as charnn writes it: 16 hexadecimal digits in lower case. Throws std::invalid_argument for others.
std::uint64_t parse_hash(const std::string& text);
}  // namespace charnn
