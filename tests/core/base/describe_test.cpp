#include "core/base/describe.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

enum class Color { red, green };
constexpr std::array<const char*, 2> color_names{"red", "green"};

TEST(Range, ContainsItsEndsUnlessExcluded) {
  EXPECT_TRUE(from_to(0, 1).contains(1));
  EXPECT_FALSE(from_to_below(0, 1).contains(1));
  EXPECT_FALSE(above(0).contains(0));
  EXPECT_FALSE(Range{}.contains(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FALSE(at_least(0).contains(std::numeric_limits<double>::infinity()));
}

TEST(AssignText, TakesWholeNumbersOnly) {
  std::int64_t number = 7;
  Field field = Field::integer("batch_size", number, from_to(1, 100), "help");
  assign_text(field, "42", "--batch-size");
  EXPECT_EQ(number, 42);
  for (const char* bad : {"4x", "", "1.5", "1e3", " 4", "99999999999999999999"})
    expect_contains(error_of([&] { assign_text(field, bad, "--batch-size"); }), "a whole number");
  expect_contains(error_of([&] { assign_text(field, "101", "--batch-size"); }), "from 1 to 100");
  EXPECT_EQ(number, 42) << "a refused value must not be set";
}

TEST(AssignText, RefusesNumbersThatAreNotFinite) {
  double number = 0.5;
  Field field = Field::real("lr", number, at_least(0), "help");
  for (const char* bad : {"nan", "inf", "1e999", "-1"}) error_of([&] { assign_text(field, bad, "--lr"); });
  EXPECT_EQ(number, 0.5);
  assign_text(field, "3", "--lr");
  EXPECT_EQ(number, 3.0);
}

TEST(AssignText, ChoiceSuggestsTheNearest) {
  Color color = Color::red;
  Field field = Field::choice("color", color, color_names, "help");
  assign_text(field, "green", "--color");
  EXPECT_EQ(color, Color::green);
  const std::string message = error_of([&] { assign_text(field, "gren", "--color"); });
  expect_contains(message, "one of red, green");
  expect_contains(message, "did you mean \"green\"?");
}

TEST(Field, FlagComesFromTheName) {
  double number = 0;
  EXPECT_EQ(Field::real("val_fraction", number, {}, "").flag, "val-fraction");
}

TEST(Nearest, FindsSlipsOnly) {
  EXPECT_EQ(nearest("batchsize", {"seed", "batch_size", "beta1"}), "batch_size");
  EXPECT_EQ(nearest("trian", {"sample", "train", "trainer"}), "train") << "two swapped";
  EXPECT_EQ(nearest("--TEMP", {"--seed", "--temperature"}), "--temperature") << "an abbreviation";
  EXPECT_EQ(nearest("transformer", {"rnn", "gru", "lstm"}), "") << "far off";
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace charnn
