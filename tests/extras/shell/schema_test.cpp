#include "extras/shell/schema.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace charnn::cli {
namespace {
TEST(ConfigSchema, ListsTypeRangeAndDefault) {
  std::int64_t batch_size = 50;
  const auto schema =
      config_schema({{"train", "", {Field::integer("batch_size", batch_size, at_least(1), "streams")}}});
  const auto& batch = schema["properties"]["train"]["properties"]["batch_size"];
  EXPECT_EQ(batch["type"], "integer");
  EXPECT_EQ(batch["minimum"], 1);
  EXPECT_EQ(batch["default"], 50);
  EXPECT_EQ(schema["properties"]["train"]["additionalProperties"], false);
  EXPECT_EQ(schema["properties"]["$schema"]["type"], "string");
}
}  // namespace
}  // namespace charnn::cli
