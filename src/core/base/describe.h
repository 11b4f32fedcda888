#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace charnn {
/// The value of a field; monostate: none.
using Value = std::variant<std::int64_t, double, std::string, std::vector<std::string>, std::monostate>;

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

/// One field of a struct, declared once, bound to the member that holds its value. For a config, JSON reading and
/// writing, command-line flags, --help, the JSON Schema and docs/config.md come from it; for a checkpoint's train
/// state, JSON reading and writing.
class Field {
 public:
  enum class Type { integer, real, text, text_list, choice, optional_real };

  std::string name;  ///< the key in JSON, e.g. "batch_size"
  Type type;
  std::string help;
  Range range = {};                       ///< of numbers
  std::vector<std::string> choices = {};  ///< of a choice
  std::string flag = {};                  ///< without dashes, e.g. "batch-size"
  std::string value_name = {};            ///< of one value in --help, e.g. "FILE"; empty: see placeholder()
  bool fixed = false;                     ///< a resumed run must keep the value it began with
  bool common = false;                    ///< one of the few that --help shows

  Field&& with_flag(std::string text) &&;
  Field&& with_value_name(std::string text) &&;
  Field&& fixed_for_run() &&;
  Field&& shown_first() &&;

  static Field integer(std::string name, std::int64_t& value, const Range& range, std::string help = {});
  static Field real(std::string name, double& value, const Range& range, std::string help = {});
  static Field optional_real(std::string name, std::optional<double>& value);
  static Field text(std::string name, std::string& value, std::string help);
  static Field text_list(std::string name, std::vector<std::string>& value, std::string help = {});
  /// `names[i]` stands for the enumerator with value i.
  template <class Enum, std::size_t N>
  static Field choice(std::string name, Enum& value, const std::array<const char*, N>& names, std::string help) {
    Field field(std::move(name), Type::choice, std::move(help),
                EnumMember{&value, [](const void* at) { return static_cast<int>(*static_cast<const Enum*>(at)); },
                           [](void* at, int number) { *static_cast<Enum*>(at) = static_cast<Enum>(number); }});
    field.choices.assign(names.begin(), names.end());
    return field;
  }

  Value get() const;
  std::string placeholder() const;   ///< stands for a value in --help: "N", "FILE", "rnn|gru|lstm", ...
  std::string default_text() const;  ///< the present value without quotes; empty for a list
  std::string type_text() const;     ///< "a whole number", "one of rnn, gru, lstm", ...
  std::string allowed_text() const;  ///< the type with its range

 private:
  struct EnumMember {
    void* at;
    int (*get)(const void* at);
    void (*set)(void* at, int number);
  };
  using Member =
      std::variant<std::int64_t*, double*, std::string*, std::vector<std::string>*, EnumMember, std::optional<double>*>;
  Field(std::string field_name, Type field_type, std::string field_help, Member member);
  friend void assign(Field& field, const Value& value, std::string_view where);

  Member member_;
};

/// A group of fields: one object in JSON.
struct Section {
  std::string name;
  std::string help;
  std::vector<Field> fields;
};

/// The description of a config that is only read.
template <class Config>
const auto describe_const(const Config& config) {
  return describe(const_cast<Config&>(config));  // a constant section lets nothing be written
}

/// The enumerator's name in a list such as cell_names.
template <class Enum, std::size_t N>
constexpr const char* name_of(Enum value, const std::array<const char*, N>& names) {
  return names[static_cast<std::size_t>(value)];
}

/// Sets `field` to `value` after checking its type and range. `where` begins the message if it is refused (e.g.
/// "run.json:3:5: train.batch_size"). Throws Error (usage).
void assign(Field& field, const Value& value, std::string_view where);

/// As assign(), from the text of a command-line flag: numbers must be complete and finite, with nothing after them.
void assign_text(Field& field, const std::string& text, std::string_view where);

/// The value as a person writes it.
std::string to_text(const Value& value);

/// The candidate that `word` is probably a slip of: at most about a quarter of its characters differ. May be empty.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
/// A hint that names what was meant; empty if that is not known.
std::string did_you_mean(std::string_view meant);
}  // namespace charnn
