#include "extras/tensorboard/tensorboard_sink.h"
#include <cstring>
#include <map>
#include <protozero/pbf_reader.hpp>
#include "core/base/files.h"
#include "tests/support.h"

namespace charnn {
namespace {

/// The records of a file, after checking that each is framed as tfrecord() does it.
std::vector<std::string> records_of(const std::string& folder) {
  std::vector<std::string> records;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string bytes = read_file(entry.path(), "event file");
    for (std::size_t at = 0; at < bytes.size();) {
      std::uint64_t size = 0;
      std::memcpy(&size, bytes.data() + at, 8);
      records.push_back(bytes.substr(at + 12, size));
      EXPECT_EQ(bytes.substr(at, size + 16), tfrecord(records.back()));
      at += size + 16;
    }
  }
  return records;
}

/// Scalars by their tags.
std::map<std::string, float> scalars_of(const std::string& record) {
  std::map<std::string, float> scalars;
  for (protozero::pbf_reader event(record); event.next();) {
    if (event.tag() != 5) {
      event.skip();
      continue;
    }
    protozero::pbf_reader summary = event.get_message();
    while (summary.next(1)) {
      std::string tag;
      for (protozero::pbf_reader value = summary.get_message(); value.next();) {
        if (value.tag() == 1)
          tag = value.get_string();
        else if (value.tag() == 2)
          scalars[tag] = value.get_float();
        else
          value.skip();
      }
    }
  }
  return scalars;
}

TEST(Tfrecord, HasTheChecksumsOfTheFormat) {
  // CRC-32C of "123456789" is 0xe3069283 (RFC 3720's polynomial); masked: rotated by 15 bits, plus 0xa282ead8.
  const std::string record = tfrecord("123456789");
  std::uint32_t checksum = 0;
  std::memcpy(&checksum, record.data() + 12 + 9, 4);
  EXPECT_EQ(checksum, ((0xe3069283U >> 15) | (0xe3069283U << 17)) + 0xa282ead8U);
  EXPECT_EQ(record.size(), 12U + 9 + 4);
}

TEST(TensorBoardSink, WritesScalarsAndText) {
  const test::TemporaryFolder folder;
  TensorBoardSink sink(folder / "", 0);
  StepInfo step;
  step.step = 10;
  step.loss = 1.5;
  step.lr = 0.002;
  sink.record(step);
  EvalInfo eval;
  eval.step = 10;
  eval.result = {5, 2};
  eval.sample = "first\nsecond\x1b";
  sink.eval(eval);
  const auto records = records_of(folder / "");
  ASSERT_EQ(records.size(), 3U);
  test::expect_contains(records[0], "brain.Event:2");
  EXPECT_EQ(scalars_of(records[1]).at("loss/train"), 1.5F);
  EXPECT_EQ(scalars_of(records[1]).at("optimizer/lr"), 0.002F);
  EXPECT_EQ(scalars_of(records[2]).at("loss/validation"), 2.5F);
  test::expect_contains(records[2], "    first\n    second\\x1b");  // the escape code is disarmed
}

TEST(TensorBoardSink, BeginsWithConfigAndCharts) {
  const test::TemporaryFolder folder;
  TensorBoardSink sink(folder / "", 0);
  sink.begin({.config = R"({"optimizer": {"lr": 0.5, "freeze": []}, "model": {"cell": "gru"}})"});
  sink.warn({.step = 3, .name = "overfitting", .message = "it\nrises"});
  const auto records = records_of(folder / "");
  ASSERT_EQ(records.size(), 3U);
  for (const char* part : {"optimizer.lr", "model.cell", "loss/validation"}) test::expect_contains(records[1], part);
  EXPECT_EQ(records[1].find("optimizer.freeze"), std::string::npos) << "a list is no number or choice";
  test::expect_contains(records[2], "    it\n    rises");
}

TEST(TensorBoardSink, AResumedRunGoesOnInALaterFile) {
  const test::TemporaryFolder folder;
  folder.write("notes.txt", "mine");
  { TensorBoardSink silent(folder / "", 0); }
  EXPECT_TRUE(event_files(folder / "").empty());
  TensorBoardSink(folder / "", 0).record({});
  TensorBoardSink(folder / "", 20).record({});
  const auto files = event_files(folder / "");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_LT(files[0], files[1]);
  EXPECT_GT(read_file(files[1], "event file").size(), read_file(files[0], "event file").size()) << "a session log";
}

TEST(TensorBoardSink, WhatCannotBeWrittenWaits) {
  const test::TemporaryFolder folder;
  int warnings = 0;
  TensorBoardSink sink(folder / "missing", 0, [&](const Warning&) { ++warnings; });
  for (int i = 0; i < 3; ++i) sink.record({});
  EXPECT_EQ(warnings, 1) << "once, when it begins";
  test::expect_contains(test::error_of([&] { sink.end({}); }, ExitCode::failure), "missing");
  std::filesystem::create_directory(folder / "missing");
  sink.end({});
  const std::vector<std::string> files = event_files(folder / "missing");
  ASSERT_EQ(files.size(), 1U);
  TensorBoardSink(folder / "", 0).record({});
  EXPECT_GT(read_file(files[0], "event file").size(), 2 * read_file(event_files(folder / "")[0], "event file").size());
}

}  // namespace
}  // namespace charnn
