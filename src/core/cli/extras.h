#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <nlohmann/json_fwd.hpp>
#include "core/cli/measure.h"
#include "core/cli/text_maker.h"
#include "core/cli/train_run.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace charnn::cli {
/// Options of the program itself.
struct Globals {
  bool quiet = false;    ///< nothing on stderr but errors
  bool verbose = false;  ///< a line for every metrics record

  std::chrono::seconds line_interval() const { return std::chrono::seconds(verbose ? 0 : 5); }
};

/// Shows training on stderr: as a bar on a terminal, otherwise as lines. Null if quiet.
std::unique_ptr<Sink> make_display(const Globals& globals);

/// A command's work; returns the exit status. It runs after the whole command line has been parsed.
using Action = std::function<int()>;

/// Makes `work` the action if the user chooses `command`.
void on_chosen(CLI::App* command, Action& action, Action work);

/// An option that sets a number. `value` is the default, unless it is out of range: then there is none. Errors: as
/// assign_text().
CLI::Option* add_number(CLI::App& command, const std::string& flag, std::int64_t& value, const Range& range,
                        const std::string& help);
CLI::Option* add_number(CLI::App& command, const std::string& flag, double& value, const Range& range,
                        const std::string& help);

// Options shared by several commands.
void add_model_choice(CLI::App& command, ModelChoice& choice);  ///< RUN|CKPT and --checkpoint
void add_eval_choice(CLI::App& command, EvalChoice& choice);    ///< --window, --dynamic, --threads, ...
void add_threads(CLI::App& command, std::int64_t& threads);     ///< --threads
CLI::Option* add_with(CLI::App& command, std::vector<std::string>& with);
void add_text_options(CLI::App& command, TextOptions& text);  ///< --stop, --until-line, --one-document, ...
/// A flag for every option of the sections named, and --set.
void add_config_flags(CLI::App& command, ConfigInput& input, const std::vector<std::string>& section_names);

/// A text written by `charnn sample`.
struct WrittenText {
  std::uint64_t seed = 0;
  std::vector<std::int64_t> ids = {};  ///< without the prompt
  TextEnd end = TextEnd::length;
};

/// Options of `charnn sample`.
struct SampleOptions {
  ModelChoice model;
  TextOptions text;
  std::string prompt_file;
  std::int64_t seed = -1;  ///< -1: a random one
  bool no_echo = false;
  bool raw = false;
  bool json = false;
  std::int64_t num = 1;
  std::string folder;  ///< --files
  std::vector<std::string> with;
  std::int64_t adapt = 0;  ///< passes over the prompt
  std::int64_t threads = 0;
  ConfigInput config;
};

/// An extra's part in `charnn sample`. Does nothing unless one of its options is given.
class SampleExtra {
 public:
  virtual ~SampleExtra() = default;
  virtual void add_options(CLI::App& command) = 0;
  /// May do all the work in place of `charnn sample`; then it returns the exit status.
  virtual std::optional<int> take_over(TextMaker& /*maker*/, const SampleOptions& /*options*/, std::uint64_t /*seed*/) {
    return std::nullopt;
  }
  /// Called before any text is written.
  virtual void begin(const TextMaker& /*maker*/, const PreparedText& /*prepared*/) {}
  /// False: the text is left out, and another is written in its place. Asked once for each text.
  virtual bool accepts(const std::string& /*text*/) { return true; }
  /// Reports on a text: as an entry of its JSON line, or on stderr.
  virtual void add_to(nlohmann::ordered_json& /*line*/, const WrittenText& /*text*/) {}
  virtual void say_of(const WrittenText& /*text*/) {}
};

/// A noisy curve of the loss, for Extras::draw_svg.
struct CurvePicture {
  std::string title, x_label;
  std::vector<double> x = {}, loss = {}, smoothed = {};  ///< x has a logarithmic axis
  std::vector<std::pair<double, std::string>> marks = {};
};

/// Everything that extras add to the program. Each folder of src/extras has a function that adds its part: see
/// src/extras/CMakeLists.txt.
struct Extras {
  std::vector<std::function<void(CLI::App&, const Globals&, Action&)>> commands;
  std::vector<MakeSink> sinks;  ///< of train
  std::vector<std::function<std::unique_ptr<SampleExtra>()>> sample;
  /// Draw for other extras, where plot is built: an SVG, and a sketch for stdout.
  std::function<std::string(const CurvePicture&)> draw_svg, draw_sketch;
};
const Extras& all_extras();  ///< written by src/extras/CMakeLists.txt

// Each adds its subcommand to `app` and sets `action` if the user chooses it.
void add_train(CLI::App& app, const Globals& globals, Action& action, const Extras& extras);
void add_sample(CLI::App& app, const Globals& globals, Action& action, const Extras& extras);
void add_eval(CLI::App& app, const Globals& globals, Action& action);
void add_info(CLI::App& app, Action& action);

/// The whole program: parses the arguments and runs the command. Returns the exit status. Throws Error.
int run(int argc, char** argv, const Extras& extras);
}  // namespace charnn::cli
