#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include "core/base/files.h"
#include "core/base/utf8.h"
#include "core/train/console_sinks.h"
#include "core/train/metrics_sink.h"
#include "tests/support.h"

namespace charnn {
namespace {

StepInfo step_info(std::int64_t step) {
  StepInfo info;
  info.step = step;
  info.loss = 1.5;
  info.chars = step * 100;
  info.chars_per_second = 1000;
  info.last_step = 1000;
  info.seconds_left = 62;
  info.elapsed_seconds = static_cast<double>(step);
  return info;
}

EvalInfo eval_info(std::int64_t step) {
  EvalInfo info;
  info.step = step;
  info.result = {2.0, 1};
  info.elapsed_seconds = static_cast<double>(step);
  info.sample = "a\x1b[31mred\xff";
  return info;
}

std::vector<nlohmann::json> lines_of(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

TEST(MetricsSink, WritesOneObjectALine) {
  const test::TemporaryFolder folder;
  MetricsSink sink(folder / "m", {});
  RunInfo run;
  run.config = "{\"train\":{}}";
  sink.begin(run);
  sink.record(step_info(10));
  sink.eval(eval_info(10));
  const auto lines = lines_of(folder / "m");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["schema_version"], 1);
  EXPECT_EQ(lines[0]["event"], "run");
  EXPECT_EQ(lines[1]["event"], "step");
  EXPECT_DOUBLE_EQ(lines[1]["bits_per_char"], 1.5 / std::log(2.0));
  EXPECT_EQ(lines[2]["loss"], 2.0);
}

TEST(MetricsSink, ResumingLeavesNoGapAndNoRepeat) {
  const test::TemporaryFolder folder;
  {
    MetricsSink sink(folder / "m", {});
    sink.begin({.config = "{}"});
    for (const std::int64_t step : {10, 20, 30}) sink.record(step_info(step));
    sink.eval(eval_info(20));
    sink.eval(eval_info(30));
  }
  std::ofstream(folder / "m", std::ios::app) << "{\"event\":\"step\",\"st";  // cut off by a crash
  // The checkpoint was saved at step 20, before the evaluation of that step.
  TrainState progress;
  progress.step = 20;
  progress.evaluated_step = 10;
  MetricsSink sink(folder / "m", progress);
  EXPECT_EQ(sink.elapsed_before(), 20);
  sink.begin({.config = "{}"});
  sink.eval(eval_info(20));
  const auto lines = lines_of(folder / "m");
  std::string events;
  for (const auto& line : lines)
    events += line["event"].get<std::string>() + line.value("step", nlohmann::json()).dump() + " ";
  EXPECT_EQ(events, "runnull step10 step20 eval20 ");
}

TEST(BarSink, DrawsOneLineThatFits) {
  for (const bool blocks : {false, true}) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "terminal";
    std::FILE* terminal = std::fopen(path.c_str(), "w");
    {
      BarSink bar(terminal, false, blocks);
      bar.begin({.title = "lstm", .last_step = 1000});
      bar.step(step_info(530));
      bar.eval(eval_info(500));
      bar.end({"finished", 1000, 61});
    }
    std::fclose(terminal);
    const std::string text = read_file(path, "terminal");
    test::expect_contains(text, blocks ? "[█████▎    ] 53%  530/1000  loss 1.500  1:02 left"
                                       : "[=====     ] 53%  530/1000  loss 1.500  1:02 left");
    test::expect_contains(text, "validation loss 2.0000 nats/char (2.885 bits/char)");
    test::expect_contains(text, "finished at step 1000 after 1 min 1 s");
    EXPECT_EQ(text.find("\x1b[31m"), std::string::npos) << "the sample's escape sequence must not reach the terminal";
    const auto bar = text.find(blocks ? "[█" : "[=");
    EXPECT_LT(count_code_points(text.substr(bar, text.find("\r\x1b[J", bar) - bar)), 80);
  }
}

TEST(Describe, Seconds) {
  EXPECT_EQ(describe_seconds(44.2), "45 s");
  EXPECT_EQ(describe_seconds(200), "3 min 20 s");
  EXPECT_EQ(describe_seconds(7260), "2 h 1 min");
}

}  // namespace
}  // namespace charnn
