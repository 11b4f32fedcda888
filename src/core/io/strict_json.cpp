#include "core/io/strict_json.h"
#include <set>
#include <stdexcept>
#include <vector>

namespace charnn {
using nlohmann::json;

json parse_strict(std::string_view text) {
  constexpr int deepest = 8;  // more would exhaust the stack of what goes through it
  std::vector<std::set<std::string>> keys;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > deepest) throw std::invalid_argument("nested too deep");
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      throw std::invalid_argument("not good: key " + parsed.dump(-1, ' ', true) + " appears twice");
    return true;
  };
  json value = json::parse(text.begin(), text.end(), check, /*allow_exceptions=*/false);
  if (value.is_discarded()) throw std::invalid_argument("not JSON");
  return value;
}

std::uint64_t parse_hash(const std::string& text) {
  if (text.size() != 16 || text.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw std::invalid_argument("a hash has another form than 16 hexadecimal digits");
  return std::stoull(text, nullptr, 16);
}
}  // namespace charnn
