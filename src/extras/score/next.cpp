#include "extras/score/next.h"
#include <algorithm>
#include <cmath>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/terminal.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/io/json_config.h"
#include "core/sample/filters.h"
#include "core/sample/text_reader.h"

namespace charnn::cli {
namespace {
struct NextOptions {
  ModelChoice model;
  TextOptions text;
  std::int64_t top = 10;
  bool json = false;
};

int next(const NextOptions& options) {
  LoadedModel loaded = load_model(options.model);
  TextOptions text = options.text;
  text.config = loaded.config.sample;
  TextMaker maker(std::move(loaded), StepWeights::fp32, /*threads=*/1, /*many=*/false);
  const PreparedText prepared = maker.prepare(text);
  if (!prepared.note.empty()) say("charnn: {}", prepared.note);
  TextReader reader(maker.stepper(), maker.separator());
  for (const std::int64_t id : prepared.job.prompt) reader.read(id);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::string lines;
  for (const auto& [id, probability] : most_likely(reader.logits(), options.top)) {
    const std::string symbol = maker.vocabulary().text(id);
    nlohmann::ordered_json one;
    put_text(one, "text", symbol);
    one.update({{"probability", probability}, {"bits", -std::log2(probability)}});
    list.push_back(std::move(one));
    lines += fmt::format("{:6.2f} %  {}\n", 100 * probability, symbol == " " ? "(space)" : on_one_line(symbol));
  }
  if (options.json)
    write_json({{"prompt", prepared.shown_prompt}, {"next", list}});
  else
    write_report(lines);
  return 0;
}
}  // namespace

void add_next_command(CLI::App& app, const Globals&, Action& action) {
  auto options = std::make_shared<NextOptions>();
  CLI::App* command = app.add_subcommand("next", "what the network expects after a text, with probabilities");
  add_model_choice(*command, options->model);
  command->add_option_function<std::string>(
      "-p,--prompt", [options](const std::string& typed) { options->text.prompt = unescaped(typed); },
      "the text; \\n stands for a line break");
  add_number(*command, "--top", options->top, at_least(1), "how many of the most likely characters");
  command->add_flag("--json", options->json, "print JSON");
  on_chosen(command, action, [options] { return next(*options); });
}
}  // namespace charnn::cli
