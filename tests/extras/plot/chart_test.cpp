#include "extras/plot/chart.h"
#include <cmath>
#include <fstream>
#include "core/base/utf8.h"
#include "extras/plot/curves.h"
#include "extras/plot/metrics.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;
const double nan = std::nan("");

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

TEST(Scale, LinearTicksAreRoundAndEncloseTheValues) {
  const Scale scale({1.37, 4.17}, false, 5);
  EXPECT_EQ(scale.ticks(), (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_DOUBLE_EQ(scale.place(1), 0);
  EXPECT_DOUBLE_EQ(scale.place(5), 1);
  EXPECT_EQ(Scale({-0.1, 0.1}, false, 4).ticks()[2], 0);
}

TEST(Scale, LogTicksArePowersOfTen) {
  const Scale scale({1e-5, 1.0}, true, 8);
  ASSERT_EQ(scale.ticks().size(), 6U);
  EXPECT_DOUBLE_EQ(scale.ticks()[2], 1e-3);
  EXPECT_NEAR(scale.place(1e-4) - scale.place(1e-5), scale.place(1.0) - scale.place(0.1), 1e-12);
  EXPECT_FALSE(scale.shows(0));
  EXPECT_FALSE(scale.shows(nan));
  EXPECT_GE(Scale({1.4, 4.2}, true, 5).ticks().size(), 3U) << "less than a decade has ticks too";
}

TEST(Scale, NothingAndOneValueHaveAScaleToo) {
  for (const bool log : {false, true})
    for (const std::vector<double>& values : {std::vector<double>{}, {nan}, {3.0, 3.0}, {1e-300}, {1e300}}) {
      const Scale scale(values, log, 5);
      for (const double value : values) {
        if (!scale.shows(value)) continue;
        EXPECT_GE(scale.place(value), 0);
        EXPECT_LE(scale.place(value), 1);
      }
      EXPECT_LT(scale.ticks().size(), 50U);
    }
}

TEST(Thinned, KeepsSpikesAndEnds) {
  Series series{"", {}, {}, 0, Series::Style::line};
  for (int i = 0; i < 100000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i == 54321 ? 99 : i % 777 == 0 || i == 54322 ? nan : 1 + i % 3);
  }
  const Series thin = thinned(series, 500);
  EXPECT_LE(thin.x.size(), 1000U);
  const auto spike = std::find(thin.y.begin(), thin.y.end(), 99);
  ASSERT_NE(spike, thin.y.end());
  EXPECT_EQ(thin.x[static_cast<std::size_t>(spike - thin.y.begin())], 54321);
  EXPECT_TRUE(std::is_sorted(thin.x.begin(), thin.x.end()));
}

TEST(Svg, EscapesAndLeavesGaps) {
  const Chart chart{"a <b> & \"c\"\x1b",
                    {{.x = {"step"},
                      .y = {"loss"},
                      .series = {{"<run>", {0, 1, 2, 3, 4, 5}, {1, 2, nan, 2, 1, nan}, 0, Series::Style::line}},
                      .marks = {{3, "here & there"}}}}};
  const std::string svg = to_svg(chart);
  expect_contains(svg, "a &lt;b&gt; &amp; &quot;c&quot;");
  expect_contains(svg, "here &amp; there");
  EXPECT_EQ(svg.find('\x1b'), std::string::npos);
  EXPECT_EQ(count(svg, "<polyline"), 2U) << "one on each side of the gap";
  expect_contains(svg, "prefers-color-scheme:dark");
  EXPECT_EQ(to_svg({"empty", {{}}}).find("nan"), std::string::npos);
}

TEST(Svg, LabelsOfNeighbouringMarksDoNotOverlap) {
  const auto svg_with = [](double first, double second) {
    return to_svg({"",
                   {{.series = {{"", {0, 100}, {1, 2}, 0, Series::Style::line}},
                     .marks = {{first, "suggested 0.048"}, {second, "lowest"}}}}});
  };
  for (const double first : {60, 72}) {
    const std::string near = svg_with(first, 80);
    expect_contains(near, "y=\"12.0\" text-anchor=\"start\">suggested 0.048");
    expect_contains(near, "y=\"26.0\" text-anchor=\"end\">lowest");
  }
  expect_contains(svg_with(10, 80), "y=\"12.0\" text-anchor=\"end\">lowest");
}

TEST(Terminal, KeepsItsWidth) {
  Series series{"a rather long name for a run, longer than the terminal is wide", {}, {}, 1, Series::Style::line};
  for (int i = 0; i < 300; ++i) {
    series.x.push_back(i);
    series.y.push_back(std::sin(i / 20.0));
  }
  const Chart chart{"title",
                    {{.x = {"step"}, .y = {"a label that is longer than forty columns can be"}, .series = {series}}}};
  const std::string text = to_terminal(chart, 40, 10, false);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  std::size_t begin = 0, lines = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1, ++lines)
    EXPECT_LE(count_code_points(std::string_view(text).substr(begin, end - begin)), 40);
  EXPECT_GT(lines, 13U);
  expect_contains(to_terminal(chart, 40, 10, true), "\x1b[33m");
}

TEST(MetricsFile, ReadsWhatItKnows) {
  const test::TemporaryFolder folder;
  const Metrics metrics = read_metrics(
      folder.write("m",
                   "{\"schema_version\":1,\"event\":\"run\"}\n{\"event\":\"step\",\"step\":10,\"loss\":null,"
                   "\"lr\":\"x\"}\n"
                   "{\"event\":\"later\",\"x\":[]}\n{\"event\":\"eval\",\"step\":10,\"loss\":2.5}\n"
                   "{\"event\":\"warning\",\"step\":11,\"name\":\"rollback\"}\n{\"event\":\"step\",\"st"));
  ASSERT_EQ(metrics.steps.size(), 1U);
  EXPECT_TRUE(std::isnan(metrics.steps[0].loss));
  EXPECT_TRUE(std::isnan(metrics.steps[0].lr));
  ASSERT_EQ(metrics.evals.size(), 1U);
  EXPECT_EQ(metrics.evals[0].loss, 2.5);
  EXPECT_EQ(metrics.warnings[0].name, "rollback");
}

TEST(MetricsFile, RefusesWhatIsNone) {
  const test::TemporaryFolder folder;
  expect_contains(error_of([&] { read_metrics(folder.write("m", "")); }), "empty");
  expect_contains(error_of([&] { read_metrics(folder.write("m", "\x89PNG\n\n")); }), "line 1");
  expect_contains(error_of([&] { read_metrics(folder.write("m", "[1]\n")); }), "line 1");
  expect_contains(
      error_of([&] { read_metrics(folder.write("m", "{\"schema_version\":1,\"event\":\"run\"}\nbroken\n")); }),
      "line 2");
}

TEST(Curves, TellTrainingFromValidationAndRunFromRun) {
  Metrics run;
  for (int i = 1; i <= 50; ++i) run.steps.push_back({i * 10.0, 0, 0, 0, 3.0 / i, 0.002, 0.3});
  run.evals.push_back({500, 0, 0, 0, 1.2, 0.002, 0});
  run.warnings.push_back({200, "rollback"});
  const Chart one = curves_of({{"runs/a", run}}, {});
  ASSERT_EQ(one.panels.size(), 3U);
  EXPECT_EQ(one.panels[0].marks.at(0).x, 200);
  EXPECT_EQ(legend_of(one).size(), 2U);
  Metrics other = run;
  for (MetricsPoint& point : other.steps) point.lr = 0.2;
  const Chart two = curves_of({{"a", run}, {"b", other}}, {.val_only = true});
  ASSERT_EQ(legend_of(two).size(), 2U);
  EXPECT_EQ(legend_of(two)[1].name, "b validation");
  EXPECT_NE(legend_of(two)[0].color, legend_of(two)[1].color);
  EXPECT_TRUE(two.panels[1].y.log) << "learning rates far apart";
}

TEST(PlotSink, DrawsAtTheEndAndSurvivesAFolderThatIsGone) {
  const test::TemporaryFolder folder;
  std::string warnings;
  const auto warn = [&](const Warning& warning) { warnings += warning.message; };
  StepInfo step;
  for (const char* path : {"p.svg", "missing/p.svg"}) {
    PlotSink sink(folder / path, "t", {}, warn);
    for (step.step = 1; step.step < 20000; ++step.step) sink.record(step);
    sink.end({"finished", step.step, 1});
    sink.end({"finished", step.step, 1});
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "p.svg"));
  EXPECT_LT(std::filesystem::file_size(folder / "p.svg"), 200'000U);
  EXPECT_EQ(count(warnings, "missing/p.svg"), 1U) << warnings;
}

}  // namespace
}  // namespace charnn
