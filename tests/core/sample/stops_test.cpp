#include "core/sample/stops.h"
#include <gtest/gtest.h>

namespace charnn {
namespace {

using Ids = std::vector<std::int64_t>;

/// What is shown of `text`; -1 at its end: a stop ended it, -2: none did.
Ids shown(const std::vector<Ids>& stops, const Ids& text) {
  UntilStop until(stops);
  Ids all;
  for (const std::int64_t id : text)
    for (const std::int64_t now : until.add(id)) all.push_back(now);
  const bool ended = until.ended();
  for (const std::int64_t now : until.rest()) all.push_back(now);
  all.push_back(ended ? -1 : -2);
  return all;
}

TEST(UntilStop, EndsThereAndLeavesItOut) {
  EXPECT_EQ(shown({}, {1, 2, 3}), (Ids{1, 2, 3, -2}));
  EXPECT_EQ(shown({{7}}, {1, 7, 3}), (Ids{1, -1}));
  EXPECT_EQ(shown({{7, 7}}, {1, 7, 2, 7, 7, 3}), (Ids{1, 7, 2, -1}));
  EXPECT_EQ(shown({{7, 7, 8}}, {7, 7, 7, 8, 5}), (Ids{7, -1})) << "it begins within its own beginning";
  EXPECT_EQ(shown({{7, 8}}, {1, 7}), (Ids{1, 7, -2})) << "what waited belongs to the text";
}

TEST(UntilStop, TheFirstOfSeveralEndsIt) {
  EXPECT_EQ(shown({{5}, {7, 8}}, {1, 7, 8, 5}), (Ids{1, -1}));
  EXPECT_EQ(shown({{7, 8}, {5}}, {1, 7, 5, 8}), (Ids{1, 7, -1}));
  EXPECT_EQ(shown({{1, 2, 3, 4}, {2, 3}}, {0, 1, 2, 3, 4}), (Ids{0, 1, -1})) << "within another's beginning";
  EXPECT_EQ(shown({{3}, {2, 3}}, {1, 2, 3}), (Ids{1, -1})) << "of two that end there the longer";
}

TEST(UntilStop, ShowsWhatCanBeShownAtOnce) {
  UntilStop until({{7, 8}});
  EXPECT_EQ(until.add(1), Ids{1});
  EXPECT_EQ(until.add(7), Ids{}) << "it may be the stop's beginning";
  EXPECT_EQ(until.add(1), (Ids{7, 1}));
}

TEST(DocumentStarts, AtTheLastSymbolOfASeparator) {
  const Ids separator{1, 0};
  DocumentStarts starts(separator);
  Ids at;
  const Ids text{0, 1, 1, 0, 0, 1, 0};
  for (std::size_t i = 0; i < text.size(); ++i)
    if (starts.at(text[i])) at.push_back(static_cast<std::int64_t>(i));
  EXPECT_EQ(at, (Ids{3, 6}));
}

}  // namespace
}  // namespace charnn
