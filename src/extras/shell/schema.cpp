#include "extras/shell/schema.h"
#include <cmath>
#include <fmt/format.h>
#include "core/io/json_config.h"

namespace charnn::cli {
using nlohmann::ordered_json;

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
    case Field::Type::optional_real: schema["type"] = {"number", "null"}; break;
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
  schema["properties"]["$schema"] = {{"type", "string"},
                                     {"description", "path or URL of this schema, for editors; charnn ignores it"}};
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
}  // namespace charnn::cli
