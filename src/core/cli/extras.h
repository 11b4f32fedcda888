#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>
#include "core/cli/commands.h"
#include "core/cli/run_folder.h"
#include "core/cli/text_maker.h"
#include "core/train/lr_range_test.h"
#include "core/train/sink.h"

namespace charnn::cli {
/// A text that `charnn sample` has written.
struct WrittenText {
  std::uint64_t seed = 0;
  std::vector<std::int64_t> ids;  ///< without the prompt
};

/// What was asked of `charnn sample`.
struct SampleOptions {
  ModelChoice model;
  TextOptions text;
  std::string prompt_file;
  std::int64_t seed = -1;  ///< -1: a fresh one each time
  bool no_echo = false;
  bool raw = false;
  std::int64_t num = 1;
  std::string folder;  ///< --files
  std::int64_t threads = 0;
  ConfigInput config;
};

/// An extra's part in `charnn sample`; it does something only if one of its options is given.
class SampleExtra {
 public:
  virtual ~SampleExtra() = default;
  virtual void add_options(CLI::App& command) = 0;
  /// Writes all text itself, and returns the exit status; nothing: sample goes on.
  virtual std::optional<int> take_over(TextMaker& /*maker*/, const SampleOptions& /*options*/, std::uint64_t /*seed*/) {
    return std::nullopt;
  }
  /// Before any text is written.
  virtual void begin(const TextMaker& /*maker*/, const PreparedText& /*prepared*/) {}
  /// Something to say of a text: an entry for its JSON line, or lines for a person.
  virtual void add_to(nlohmann::ordered_json& /*line*/, const WrittenText& /*text*/) {}
  virtual void say_of(const WrittenText& /*text*/) {}
};

/// What a sink of `charnn train` is made from.
struct SinkContext {
  const RunFolder& run;
  std::int64_t first_step;  ///< above 0 for a resumed run
  Warn warn;
};

/// All that extras add to the program. Each folder of src/extras has a function that adds its part: see
/// src/extras/CMakeLists.txt.
struct Extras {
  std::vector<std::function<void(CLI::App&, const Globals&, Action&)>> commands;
  std::vector<std::function<std::unique_ptr<Sink>(const SinkContext&)>> sinks;  ///< of train
  std::vector<std::function<std::unique_ptr<SampleExtra>()>> sample;
  /// Pictures of a learning-rate range test, for lr-find: an SVG, and a sketch for stdout.
  using DrawRangeTest =
      std::function<std::string(const RangeCurve&, const std::optional<LrSuggestion>&, const std::string& title)>;
  DrawRangeTest range_test_svg, range_test_sketch;
};
}  // namespace charnn::cli
