#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace charnn {

/// The value of an option.
using Value = std::variant<std::int64_t, double, std::string, std::vector<std::string>>;

/// Interval of allowed numbers.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;
  bool max_excluded = false;

  bool contains(double number) const;
  std::string text() const;  ///< "at least 1", "from 0 to below 1", ...
};

inline Range at_least(double min) { return {.min = min}; }
inline Range above(double min) { return {.min = min, .min_excluded = true}; }
inline Range from_to(double min, double max) { return {.min = min, .max = max}; }
inline Range from_to_below(double min, double max) { return {.min = min, .max = max, .max_excluded = true}; }

/// One option, declared once, bound to the member that holds its value. JSON reading and writing, command-line flags,
/// --help, the JSON Schema and the README's table all come from it.
struct Field {
  enum class Type { integer, real, text, text_list, choice };

  std::string name;  ///< the key in the config file, e.g. "batch_size"
  Type type;
  std::string help;
  Range range;                       ///< integer and real
  std::vector<std::string> choices;  ///< choice
  std::function<Value()> get;
  std::function<void(const Value&)> set;  ///< unchecked; use assign()
  std::string flag;                       ///< without dashes, e.g. "batch-size"
  std::string value_name;                 ///< of one value in --help, e.g. "FILE"; empty: its default
  bool fixed = false;                     ///< true: a resumed run must keep the value it began with

  Field&& with_flag(std::string text) &&;
  Field&& with_value_name(std::string text) &&;
  Field&& fixed_for_run() &&;

  static Field integer(std::string name, std::int64_t& value, const Range& range, std::string help);
  static Field real(std::string name, double& value, const Range& range, std::string help);
  static Field text(std::string name, std::string& value, std::string help);
  static Field text_list(std::string name, std::vector<std::string>& value, std::string help);

  /// `names[i]` stands for the enumerator with value i.
  template <class Enum, std::size_t N>
  static Field choice(std::string name, Enum& value, const std::array<const char*, N>& names, std::string help) {
    Field field = make(std::move(name), Type::choice, std::move(help));
    field.choices.assign(names.begin(), names.end());
    field.get = [&value, &names] { return Value(std::string(names[static_cast<std::size_t>(value)])); };
    field.set = [&value, &names](const Value& v) {
      for (std::size_t i = 0; i < N; ++i)
        if (std::get<std::string>(v) == names[i]) value = static_cast<Enum>(i);
    };
    return field;
  }

  std::string type_text() const;     ///< "a whole number", "one of rnn, gru, lstm", ...
  std::string allowed_text() const;  ///< the type with its range

 private:
  static Field make(std::string name, Type type, std::string help);
};

/// A group of options: one object of the config file.
struct Section {
  std::string name;
  std::string help;
  std::vector<Field> fields;
};

/// Sets `field` to `value` after checking its type and range. `where` begins the message if it is refused (e.g.
/// "run.json:3:5: train.batch_size"). Throws Error (usage).
void assign(const Field& field, const Value& value, std::string_view where);

/// As assign(), from the text of a command-line flag: numbers must be whole and finite, with nothing after them.
void assign_text(const Field& field, const std::string& text, std::string_view where);

/// The value as a person writes it.
std::string to_text(const Value& value);

/// The candidate with the smallest edit distance to `word` (Levenshtein 1966); empty if there is none.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace charnn
