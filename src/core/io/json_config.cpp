#include "core/io/json_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include <fmt/format.h>

#include "core/base/error.h"

namespace charnn {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// Character iterator that reports how far the parser has read: nlohmann's events carry no position.
struct TrackedIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** furthest;

  reference operator*() const { return *at; }
  TrackedIterator& operator++() {
    *furthest = ++at;
    return *this;
  }
  bool operator==(const TrackedIterator& other) const { return at == other.at; }
  bool operator!=(const TrackedIterator& other) const { return at != other.at; }
};

/// Beside the sections, a config may name its schema.
constexpr const char* schema_key = "$schema";

std::vector<std::string> all_keys(const std::vector<Section>& sections) {
  std::vector<std::string> keys;
  for (const Section& section : sections)
    for (const Field& field : section.fields) keys.push_back(section.name + "." + field.name);
  return keys;
}

/// The known key that was probably meant: first by its last part (forgotten or wrong section), then as a whole.
std::string suggestion(const std::vector<Section>& sections, const std::string& key) {
  const std::string last = key.substr(key.rfind('.') + 1);
  const std::vector<std::string> keys = all_keys(sections);
  for (const std::string& known : keys)
    if (known.substr(known.rfind('.') + 1) == last) return known;
  return nearest(key, keys);
}

/// Receives the parser's events and sets the fields; a config is an object of sections, a section an object of options.
class ConfigReader : public nlohmann::json_sax<json> {
 public:
  ConfigReader(std::string_view text, const std::string& source, const std::vector<Section>& sections)
      : text_(text), source_(source), sections_(sections), furthest_(text.data()) {}

  KeySet read() {
    const TrackedIterator begin{text_.data(), &furthest_};
    const TrackedIterator end{text_.data() + text_.size(), &furthest_};
    json::sax_parse(begin, end, this, nlohmann::detail::input_format_t::json, /*strict=*/true,
                    /*ignore_comments=*/true);
    return std::move(seen_);
  }

  bool null() override { return refuse("null"); }
  bool boolean(bool value) override { return refuse(value ? "true" : "false"); }
  bool binary(binary_t&) override { return refuse("binary data"); }
  bool number_integer(number_integer_t value) override { return scalar(Value(std::int64_t{value})); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max()))
      return scalar(Value(static_cast<double>(value)));  // no integer option is that large: refused by type
    return scalar(Value(static_cast<std::int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t&) override { return scalar(Value(value)); }
  bool string(string_t& value) override {
    if (depth_ == 1 && key_ == schema_key) return true;
    if (!in_list_) return scalar(Value(std::move(value)));
    list_.push_back(std::move(value));
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ == 2 || in_list_ || (depth_ == 1 && key_ == schema_key)) return refuse("an object");
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_list_) return refuse("a list");
    in_list_ = true;
    list_.clear();
    return true;
  }
  bool end_array() override {
    in_list_ = false;
    assign(*field_, Value(std::move(list_)), where());
    return true;
  }

  bool key(string_t& name) override {
    key_end_ = furthest_;
    key_ = depth_ == 1 ? name : section_ + "." + name;
    if (key_ == schema_key) {
      // For editors; charnn has no use for it.
    } else if (depth_ == 1) {
      section_ = name;
      const auto same = [&](const Section& section) { return section.name == name; };
      if (std::none_of(sections_.begin(), sections_.end(), same)) unknown_section();
    } else {
      field_ = &find_field(sections_, key_, position());
    }
    if (!seen_.insert(key_).second)
      fail_input(fmt::format("{} appears twice", where()), "each key once", "remove one of them");
    return true;
  }

  bool parse_error(std::size_t, const std::string& token, const json::exception& error) override {
    key_end_ = furthest_;
    std::string reason = error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    if (const auto colon = reason.find("] "); colon != std::string::npos) reason.erase(0, colon + 2);
    fail_input(fmt::format("{}: {} (at '{}')", position_of(furthest_), reason, token),
               "a JSON object; // comments are allowed", "correct the config file at this place");
  }

 private:
  bool scalar(const Value& value) {
    if (depth_ != 2 || in_list_) return refuse(to_text(value));
    assign(*field_, value, where());
    return true;
  }

  [[noreturn]] bool refuse(const std::string& found) const {
    if (depth_ == 2) fail_input(fmt::format("{} = {}", where(), found), field_->allowed_text(), field_->help);
    if (depth_ == 1 && key_ == schema_key)
      fail_input(fmt::format("{} = {}", where(), found), "a text: where an editor finds the JSON Schema",
                 "remove it, or name the file that charnn schema has written");
    fail_input(fmt::format("{}: found {}", depth_ == 0 ? position_of(furthest_) : where(), found),
               depth_ == 0 ? "an object { ... } with sections" : "an object { ... } with this section's options",
               "see the config reference in the README");
  }

  [[noreturn]] void unknown_section() const {
    std::vector<std::string> names;
    for (const Section& section : sections_) names.push_back(section.name);
    for (const std::string& key : all_keys(sections_))
      if (key.substr(key.rfind('.') + 1) == key_)
        fail_input(fmt::format("{}: unknown section", where()),
                   "a section of the config: " + fmt::format("{}", fmt::join(names, ", ")),
                   fmt::format("it is an option of a section: write \"{}\": {{\"{}\": ...}}",
                               key.substr(0, key.find('.')), key_));
    fail_input(fmt::format("{}: unknown section", where()),
               "a section of the config: " + fmt::format("{}", fmt::join(names, ", ")),
               fmt::format("nearest: \"{}\"", nearest(key_, names)));
  }

  /// "file:line:column" of the last key, 1-based.
  std::string position() const {
    const char* quote = key_end_ == text_.data() ? key_end_ : key_end_ - 1;  // the key's closing quote
    while (quote > text_.data() && *(quote - 1) != '"') --quote;
    return position_of(quote == text_.data() ? quote : quote - 1);
  }
  std::string position_of(const char* at) const {
    const std::string_view before = text_.substr(0, static_cast<std::size_t>(at - text_.data()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto newline = before.rfind('\n');
    const auto column = before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    return fmt::format("{}:{}:{}", source_, line, column);
  }
  std::string where() const { return fmt::format("{}: {}", position(), key_); }

  std::string_view text_;
  const std::string& source_;
  const std::vector<Section>& sections_;
  const char* furthest_;
  const char* key_end_ = nullptr;
  int depth_ = 0;
  bool in_list_ = false;
  std::string section_;
  std::string key_;
  const Field* field_ = nullptr;
  std::vector<std::string> list_;
  KeySet seen_;
};

}  // namespace

KeySet read_config(std::string_view text, const std::string& source, const std::vector<Section>& sections) {
  return ConfigReader(text, source, sections).read();
}

const Field& find_field(const std::vector<Section>& sections, const std::string& key, const std::string& where) {
  for (const Section& section : sections)
    for (const Field& field : section.fields)
      if (section.name + "." + field.name == key) return field;
  fail_input(fmt::format("{}: unknown key \"{}\"", where, key),
             "a key of the config reference (charnn schema --markdown)",
             fmt::format("nearest known key: \"{}\"", suggestion(sections, key)));
}

json to_json(const Value& value) {
  return std::visit([](const auto& alternative) { return json(alternative); }, value);
}

ordered_json config_to_json(const std::vector<Section>& sections) {
  ordered_json config = ordered_json::object();
  for (const Section& section : sections)
    for (const Field& field : section.fields) config[section.name][field.name] = to_json(field.get());
  return config;
}

namespace {

ordered_json field_schema(const Field& field) {
  ordered_json schema = {{"description", field.help}, {"default", to_json(field.get())}};
  switch (field.type) {
    case Field::Type::integer: schema["type"] = "integer"; break;
    case Field::Type::real: schema["type"] = "number"; break;
    case Field::Type::text: schema["type"] = "string"; break;
    case Field::Type::choice: schema["enum"] = field.choices; break;
    case Field::Type::text_list:
      schema["type"] = "array";
      schema["items"] = {{"type", "string"}};
      break;
  }
  if (std::isfinite(field.range.min))
    schema[field.range.min_excluded ? "exclusiveMinimum" : "minimum"] = field.range.min;
  if (std::isfinite(field.range.max))
    schema[field.range.max_excluded ? "exclusiveMaximum" : "maximum"] = field.range.max;
  return schema;
}

}  // namespace

ordered_json config_schema(const std::vector<Section>& sections) {
  ordered_json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                         {"title", "charnn config"},
                         {"description", "Options of charnn train, section by section; each has a default."},
                         {"type", "object"},
                         {"additionalProperties", false},
                         {"properties", ordered_json::object()}};
  schema["properties"][schema_key] = {{"type", "string"},
                                      {"description", "where an editor finds this schema; charnn ignores it"}};
  for (const Section& section : sections) {
    ordered_json part = {{"type", "object"}, {"description", section.help}, {"additionalProperties", false}};
    for (const Field& field : section.fields) part["properties"][field.name] = field_schema(field);
    schema["properties"][section.name] = part;
  }
  return schema;
}

std::string config_markdown(const std::vector<Section>& sections) {
  std::string text = "| key | flag | default | allowed | meaning |\n|---|---|---|---|---|\n";
  for (const Section& section : sections)
    for (const Field& field : section.fields)
      text += fmt::format("| `{}.{}` | `--{}` | `{}` | {} | {}{} |\n", section.name, field.name, field.flag,
                          to_json(field.get()).dump(), field.allowed_text(), field.help,
                          field.fixed ? " (fixed for a run)" : "");
  return text;
}

}  // namespace charnn
