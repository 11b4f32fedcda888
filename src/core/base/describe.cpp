#include "core/base/describe.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"

namespace charnn {

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

Field&& Field::fixed_for_run() && {
  fixed = true;
  return std::move(*this);
}

Field Field::make(std::string name, Type type, std::string help) {
  Field field;
  field.flag = name;
  std::replace(field.flag.begin(), field.flag.end(), '_', '-');
  field.name = std::move(name);
  field.type = type;
  field.help = std::move(help);
  return field;
}

Field Field::integer(std::string name, std::int64_t& value, const Range& range, std::string help) {
  Field field = make(std::move(name), Type::integer, std::move(help));
  field.range = range;
  field.get = [&value] { return Value(value); };
  field.set = [&value](const Value& v) { value = std::get<std::int64_t>(v); };
  return field;
}

Field Field::real(std::string name, double& value, const Range& range, std::string help) {
  Field field = make(std::move(name), Type::real, std::move(help));
  field.range = range;
  field.get = [&value] { return Value(value); };
  field.set = [&value](const Value& v) { value = std::get<double>(v); };
  return field;
}

Field Field::text(std::string name, std::string& value, std::string help) {
  Field field = make(std::move(name), Type::text, std::move(help));
  field.get = [&value] { return Value(value); };
  field.set = [&value](const Value& v) { value = std::get<std::string>(v); };
  return field;
}

Field Field::text_list(std::string name, std::vector<std::string>& value, std::string help) {
  Field field = make(std::move(name), Type::text_list, std::move(help));
  field.get = [&value] { return Value(value); };
  field.set = [&value](const Value& v) { value = std::get<std::vector<std::string>>(v); };
  return field;
}

std::string Field::type_text() const {
  switch (type) {
    case Type::integer: return "a whole number";
    case Type::real: return "a number";
    case Type::text: return "a text";
    case Type::text_list: return "a list of texts";
    case Type::choice: return fmt::format("one of {}", fmt::join(choices, ", "));
  }
  return "";
}

std::string Field::allowed_text() const {
  const std::string limits = range.text();
  return limits.empty() ? type_text() : type_text() + ", " + limits;
}

void assign(const Field& field, const Value& value, std::string_view where) {
  const auto refuse = [&] {
    fail_input(fmt::format("{} = {}", where, to_text(value)), field.allowed_text(), field.help);
  };
  Value checked = value;
  if (field.type == Field::Type::real && std::holds_alternative<std::int64_t>(value))
    checked = static_cast<double>(std::get<std::int64_t>(value));
  if (checked.index() != field.get().index()) refuse();
  if (const auto* whole = std::get_if<std::int64_t>(&checked);
      whole && !field.range.contains(static_cast<double>(*whole)))
    refuse();
  if (const auto* real = std::get_if<double>(&checked); real && !field.range.contains(*real)) refuse();
  if (field.type == Field::Type::choice) {
    const std::string& word = std::get<std::string>(checked);
    if (std::find(field.choices.begin(), field.choices.end(), word) == field.choices.end())
      fail_input(fmt::format("{} = \"{}\"", where, word), field.allowed_text(),
                 fmt::format("nearest: \"{}\"", nearest(word, field.choices)));
  }
  field.set(checked);
}

void assign_text(const Field& field, const std::string& text, std::string_view where) {
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
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return fmt::format("{}", *list);
  if (const auto* text = std::get_if<std::string>(&value)) return fmt::format("\"{}\"", *text);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  return fmt::format("{}", std::get<std::int64_t>(value));
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::string::npos;
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);  // distances of one prefix of `word` to all of candidate's
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t substitute = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({substitute, row[j] + 1, diagonal + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace charnn
