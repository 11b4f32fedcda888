#include "core/base/describe.h"
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include "core/base/error.h"

namespace charnn {
namespace {
/// As typed by hand: case does not matter, nor whether it is _ or -.
std::string folded(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Edits that make `from` to `to`: a character more, less, another, or two swapped (Damerau 1964).
std::size_t edits(const std::string& from, const std::string& to) {
  std::vector<std::vector<std::size_t>> d(from.size() + 1, std::vector<std::size_t>(to.size() + 1));
  for (std::size_t i = 0; i <= from.size(); ++i)
    for (std::size_t j = 0; j <= to.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[from.size()][to.size()];
}

/// "seq-length" for "sequence-length": each word begins one of the other's words, in order.
bool abbreviates(std::string_view typed, std::string_view known) {
  while (typed.size() >= 3) {
    const std::string_view word = typed.substr(0, typed.find('-')), other = known.substr(0, known.find('-'));
    if (word.size() < 3 || !other.starts_with(word)) return false;
    typed.remove_prefix(std::min(word.size() + 1, typed.size()));
    known.remove_prefix(std::min(other.size() + 1, known.size()));
  }
  return typed.empty() && known.empty();
}
}  // namespace

bool Range::contains(double number) const {
  if (!std::isfinite(number)) return false;
  return (min_excluded ? number > min : number >= min) && (max_excluded ? number < max : number <= max);
}

std::string Range::text() const {
  if (std::isinf(max)) return std::isinf(min) ? "" : fmt::format("{} {}", min_excluded ? "above" : "at least", min);
  if (min_excluded) return fmt::format("above {}, {} {}", min, max_excluded ? "below" : "at most", max);
  return fmt::format("from {} to {}{}", min, max_excluded ? "below " : "", max);
}

Field&& Field::with_flag(std::string text) && {
  flag = std::move(text);
  return std::move(*this);
}

Field&& Field::with_value_name(std::string text) && {
  value_name = std::move(text);
  return std::move(*this);
}

Field&& Field::shown_first() && {
  common = true;
  return std::move(*this);
}

Field&& Field::fixed_for_run() && {
  fixed = true;
  return std::move(*this);
}

Field::Field(std::string field_name, Type field_type, std::string field_help, Member member)
    : name(std::move(field_name)), type(field_type), help(std::move(field_help)), flag(name), member_(member) {
  std::replace(flag.begin(), flag.end(), '_', '-');
}

Field Field::integer(std::string name, std::int64_t& value, const Range& range, std::string help) {
  Field field(std::move(name), Type::integer, std::move(help), &value);
  field.range = range;
  return field;
}

Field Field::real(std::string name, double& value, const Range& range, std::string help) {
  Field field(std::move(name), Type::real, std::move(help), &value);
  field.range = range;
  return field;
}

Field Field::optional_real(std::string name, std::optional<double>& value) {
  return {std::move(name), Type::optional_real, "", &value};
}

Field Field::text(std::string name, std::string& value, std::string help) {
  return {std::move(name), Type::text, std::move(help), &value};
}

Field Field::text_list(std::string name, std::vector<std::string>& value, std::string help) {
  return {std::move(name), Type::text_list, std::move(help), &value};
}

Value Field::get() const {
  if (const auto* member = std::get_if<EnumMember>(&member_))
    return choices[static_cast<std::size_t>(member->get(member->at))];
  if (const auto* real = std::get_if<std::optional<double>*>(&member_))
    return **real ? Value(***real) : std::monostate();
  return std::visit(
      [](const auto& member) {
        if constexpr (requires { Value(*member); }) return Value(*member);
        return Value();
      },
      member_);
}

std::string Field::type_text() const {
  switch (type) {
    case Type::integer: return "a whole number";
    case Type::real: return "a number";
    case Type::text: return "a string";
    case Type::text_list: return "a list of strings";
    case Type::choice: return fmt::format("one of {}", fmt::join(choices, ", "));
    case Type::optional_real: return "a number or null";
  }
  return "";
}

std::string Field::placeholder() const {
  if (!value_name.empty()) return value_name;
  if (type == Type::choice && choices.size() <= 4) return fmt::format("{}", fmt::join(choices, "|"));
  constexpr std::array by_type{"N", "X", "TEXT", "TEXT", "NAME", "X"};  // in the order of Type
  return by_type[static_cast<std::size_t>(type)];
}

std::string Field::default_text() const {
  const Value value = get();
  if (const auto* word = std::get_if<std::string>(&value)) return *word;
  return type == Type::text_list ? "" : to_text(value);
}

std::string Field::allowed_text() const {
  const std::string limits = range.text();
  return limits.empty() ? type_text() : type_text() + ", " + limits;
}

void assign(Field& field, const Value& value, std::string_view where) {
  const auto refuse = [&] { fail_input(fmt::format("{} = {}", where, to_text(value)), field.allowed_text(), ""); };
  Value checked = value;
  if (const auto* whole = std::get_if<std::int64_t>(&value); whole && field.type != Field::Type::integer)
    checked = static_cast<double>(*whole);
  if (const auto* number = std::get_if<std::int64_t>(&checked);
      number && !field.range.contains(static_cast<double>(*number)))
    refuse();
  if (const auto* number = std::get_if<double>(&checked); number && !field.range.contains(*number)) refuse();
  const auto set = [&](auto** member) {
    using Type = std::remove_reference_t<decltype(**member)>;
    if (member == nullptr) return;
    if (!std::holds_alternative<Type>(checked)) refuse();
    **member = std::get<Type>(checked);
  };
  set(std::get_if<std::int64_t*>(&field.member_));
  set(std::get_if<double*>(&field.member_));
  set(std::get_if<std::string*>(&field.member_));
  set(std::get_if<std::vector<std::string>*>(&field.member_));
  if (auto* member = std::get_if<std::optional<double>*>(&field.member_)) {
    if (!std::holds_alternative<double>(checked) && !std::holds_alternative<std::monostate>(checked)) refuse();
    const auto* number = std::get_if<double>(&checked);
    **member = number != nullptr ? std::optional(*number) : std::nullopt;
  }
  if (auto* member = std::get_if<Field::EnumMember>(&field.member_)) {
    const auto* word = std::get_if<std::string>(&checked);
    if (word == nullptr) return refuse();
    const auto found = std::find_if(field.choices.begin(), field.choices.end(),
                                    [&](const std::string& choice) { return folded(choice) == folded(*word); });
    if (found == field.choices.end())
      fail_input(fmt::format("{} = \"{}\"", where, *word), field.allowed_text(),
                 did_you_mean(nearest(*word, field.choices)));
    member->set(member->at, static_cast<int>(found - field.choices.begin()));
  }
}

void assign_text(Field& field, const std::string& text, std::string_view where) {
  const char* end = text.data() + text.size();
  const auto parse = [&](auto number) {
    const auto result = std::from_chars(text.data(), end, number);
    // Refusing the text itself names what was typed; assign() names the numbers that are out of range.
    if (result.ec != std::errc() || result.ptr != end) assign(field, Value(text), where);
    assign(field, Value(number), where);
  };
  switch (field.type) {
    case Field::Type::integer: return parse(std::int64_t{});
    case Field::Type::real: return parse(double{});
    case Field::Type::text_list: return assign(field, Value(std::vector<std::string>{text}), where);
    default: return assign(field, Value(text), where);
  }
}

std::string to_text(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return "null";
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return fmt::format("{}", *list);
  if (const auto* text = std::get_if<std::string>(&value)) return fmt::format("\"{}\"", *text);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return fmt::format("{}", std::get<std::int64_t>(value));
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const auto bare = [](std::string_view name) {
    return name.substr(std::min(name.find_first_not_of('-'), name.size()));
  };
  const std::string typed = folded(bare(word.substr(0, 64)));
  std::string best;
  std::pair<std::size_t, std::size_t> fewest{std::string::npos, 0};  // mistakes, then edits
  for (const std::string& candidate : candidates) {
    const std::string known = folded(bare(candidate));
    const std::size_t apart = edits(typed, known);
    const bool part = typed.size() >= 3 && (known.starts_with(typed) || known.ends_with("-" + typed));
    const bool longer = known.size() >= 3 && typed.starts_with(known) && typed.size() <= known.size() + 5;
    const bool one = part || longer || abbreviates(typed, known);
    const std::pair count{one ? std::min<std::size_t>(apart, 1) : apart, apart};
    if (count.first > 1 + std::max(typed.size(), known.size()) / 8 || count >= fewest) continue;
    fewest = count;
    best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view meant) {
  return meant.empty() ? "" : fmt::format("did you mean \"{}\"?", meant);
}
}  // namespace charnn
