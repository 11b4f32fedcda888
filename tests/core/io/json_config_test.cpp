#include "core/io/json_config.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

struct Options {
  std::int64_t batch_size = 50;
  double lr = 0.002;
  std::vector<std::string> files;

  std::vector<Section> sections() {
    return {{"data", "", {Field::text_list("files", files, "text files")}},
            {"train",
             "",
             {Field::integer("batch_size", batch_size, at_least(1), "streams"),
              Field::real("lr", lr, at_least(0), "rate")}}};
  }
};

std::string error_in(const std::string& json) {
  Options options;
  return error_of([&] { read_config(json, "run.json", options.sections()); });
}

TEST(ReadConfig, ReadsValuesAndComments) {
  Options options;
  const KeySet given = read_config(
      "{ // a comment\n \"train\": {\"lr\": 1, /* two */ \"batch_size\": 8}, \"data\": {\"files\": [\"a\", "
      "\"b\"]}}",
      "run.json", options.sections());
  EXPECT_EQ(options.lr, 1.0);
  EXPECT_EQ(options.batch_size, 8);
  EXPECT_EQ(options.files, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(given.contains("train.lr"));
  EXPECT_TRUE(given.contains("data.files"));
}

TEST(ReadConfig, UnknownKeyNamesPlaceAndNearest) {
  const std::string message = error_in("{\n  \"train\": {\n    \"batchsize\": 8\n  }\n}");
  expect_contains(message, "run.json:3:5: unknown key \"train.batchsize\"");
  expect_contains(message, "\"train.batch_size\"");
  expect_contains(error_in("{\"data\": {\"lr\": 1}}"), "\"train.lr\"");
  expect_contains(error_in("{\"lr\": 1}"), "write \"train\": {\"lr\": ...}");
  expect_contains(error_in("{\"trian\": {}}"), "did you mean \"train\"?");
}

TEST(ReadConfig, RefusesWrongTypesWithTheirPlace) {
  for (const char* value :
       {"\"8\"", "8.5", "true", "null", "[8]", "{}", "0", "-1", "1e400", "NaN", "18446744073709551615"}) {
    const std::string message = error_in(std::string("{\"train\": {\"batch_size\": ") + value + "}}");
    expect_contains(message, "run.json:1:");
    expect_contains(message, "expected:");
  }
  expect_contains(error_in("{\"data\": {\"files\": [1]}}"), "data.files");
  expect_contains(error_in("{\"data\": {\"files\": \"a.txt\"}}"), "a list of strings");
  expect_contains(error_in("{\"train\": 3}"), "an object");
  expect_contains(error_in("[]"), "an object");
}

TEST(ReadConfig, RefusesBrokenAndRepeated) {
  expect_contains(error_in("{\"train\": {\"lr\": 1,}}"), "run.json:1:");
  expect_contains(error_in(""), "run.json:1:1");
  expect_contains(error_in("{} x"), "run.json:1:");
  expect_contains(error_in("{\"train\": {\"lr\": 1, \"lr\": 2}}"), "train.lr appears twice");
}

TEST(ReadConfig, MayNameItsSchema) {
  Options options;
  read_config("{\"$schema\": \"charnn.schema.json\", \"train\": {\"lr\": 1}}", "run.json", options.sections());
  EXPECT_EQ(options.lr, 1.0);
  read_config("{\"train\": {\"lr\": 2}, \"$schema\": \"\"}", "run.json", options.sections());
  EXPECT_EQ(options.lr, 2.0);
  for (const char* value : {"7", "null", "true", "{}", "[]", "[\"a\"]"})
    expect_contains(error_in(std::string("{\n  \"$schema\": ") + value + "}"), "run.json:2:3: $schema = ");
  expect_contains(error_in("{\"$schema\": \"a\", \"$schema\": \"b\"}"), "$schema appears twice");
  expect_contains(error_in("{\"train\": {\"$schema\": \"a\"}}"), "unknown key \"train.$schema\"");
}

TEST(ConfigToJson, ComesBackTheSame) {
  Options options;
  options.lr = 0.1 + 0.2;
  options.files = {"ä \"quoted\".txt"};
  const std::string text = config_to_json(options.sections()).dump();
  Options back;
  read_config(text, "run.json", back.sections());
  EXPECT_EQ(back.lr, options.lr);
  EXPECT_EQ(back.files, options.files);
}

}  // namespace
}  // namespace charnn
