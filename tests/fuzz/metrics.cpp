// metrics.jsonl, read for charts and by a run that goes on.
#include "extras/plot/metrics.h"
#include <fstream>
#include "core/base/files.h"
#include "core/train/metrics_sink.h"
#include "tests/fuzz/support.h"

using namespace charnn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  static const fuzz::Folder folder;
  static const std::string run = folder / "metrics.jsonl";
  const std::string_view input = fuzz::text_of(data, size);
  const auto readable = [&](std::string_view text) { return fuzz::accepts([&] { read_metrics(file.holding(text)); }); };
  const bool sound = readable(input);

  fuzz::Numbers numbers(input);
  TrainState progress;
  progress.step = static_cast<std::int64_t>(1 + numbers.below(40));
  progress.evaluated_step = static_cast<std::int64_t>(numbers.below(40));
  std::ofstream(run, std::ios::binary) << input;
  double elapsed = 0;
  const auto resume = [&] { elapsed = MetricsSink(run, progress).elapsed_before(); };
  if (!fuzz::accepts(resume)) {
    fuzz::require(!sound, "what charts can be made of can be resumed");
    return 0;
  }
  const double elapsed_once = elapsed;
  const std::string once = read_file(run, "metrics file");
  fuzz::require(input.substr(0, once.size()) == once, "the beginning is kept");
  fuzz::require(once.empty() || readable(once), "whole records are kept");
  fuzz::require(fuzz::accepts(resume), "what a resumed run leaves can be resumed");
  fuzz::require(read_file(run, "metrics file") == once && elapsed == elapsed_once, "resuming again changes nothing");
  return 0;
}
