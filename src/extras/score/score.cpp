#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/terminal.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/io/json_config.h"
#include "extras/score/next.h"
#include "extras/score/score_page.h"

namespace charnn::cli {
namespace {
struct ScoreOptions {
  ModelChoice model;
  std::string file;
  bool lines = false;
  bool chars = false;
  bool json = false;
  std::string html;
  EvalChoice eval;
};

std::string json_line(nlohmann::ordered_json record, const char* key, const std::string& text) {
  put_text(record, key, text);
  return to_ascii(record) + "\n";
}

std::string column(double bits) { return std::isnan(bits) ? "-" : fmt::format("{:.4f}", bits); }

void print_lines(const ScoredText& text, bool json) {
  TextOutput output(/*raw=*/false);
  if (!json) output.add("line\tchars\tbits_per_char\ttext\n");
  std::int64_t number = 1;
  std::string line;
  EvalResult score;
  const auto print = [&] {
    const double cost = bits(score.loss());  // NaN if nothing was predicted: 0 / 0
    const std::string row =
        json ? json_line({{"line", number}, {"chars", score.chars}, {"bits_per_char", cost}}, "text", line)
             : fmt::format("{}\t{}\t{}\t{}\n", number, score.chars, column(cost), on_one_line(line));
    ++number;
    line.clear();
    score = {};
    return output.add(row);
  };
  for_each_symbol(text, [&](std::int64_t, const std::string& symbol, double nats) {
    if (!std::isnan(nats)) {
      ++score.chars;
      score.nats += nats;
    }
    if (symbol == "\n") return print();
    line += symbol;
    return true;
  });
  if (!line.empty()) print();
  output.end();
}

void print_chars(const ScoredText& text, bool json) {
  TextOutput output(/*raw=*/false);
  if (!json) output.add("position\tbits\tchar\n");
  for_each_symbol(text, [&](std::int64_t position, const std::string& symbol, double nats) {
    return output.add(json ? json_line({{"position", position}, {"bits", bits(nats)}}, "char", symbol)
                           : fmt::format("{}\t{}\t{}\n", position, column(bits(nats)), on_one_line(symbol)));
  });
  output.end();
}

int score(const ScoreOptions& options) {
  const std::vector<LoadedModel> models = load_models(options.model, options.eval.with);
  EvalChoice eval = options.eval;
  const Corpus corpus = open_text_of(models[0], {options.file}, eval.unknown);
  eval.options.opening = beginning_of(models[0]);
  ScoredText scored{corpus, {}};
  if (options.lines || options.chars || !options.html.empty()) {
    scored.nats.assign(corpus.size(), std::numeric_limits<float>::quiet_NaN());
    eval.options.each = [&](std::int64_t first, std::span<const float> some) {
      std::copy(some.begin(), some.end(), scored.nats.begin() + first);
    };
  }
  const EvalResult result = measure(models, corpus, corpus.all(), eval);
  const double nats = result.loss();
  if (!options.html.empty())
    write_page(scored, models[0], options.html, options.file == "-" ? "stdin" : options.file, bits(nats));
  if (options.lines) {
    print_lines(scored, options.json);
  } else if (options.chars) {
    print_chars(scored, options.json);
  } else if (options.json) {
    write_json({{"checkpoint", models[0].path},
                {"file", options.file},
                {"chars", result.chars},
                {"nats_per_char", nats},
                {"bits_per_char", bits(nats)},
                {"perplexity", std::exp(nats)}});
  } else {
    write_report(fmt::format("{}: {} characters\nnats/char   {:.6f}\nbits/char   {:.6f}\nperplexity  {:.6f}\n",
                             options.file, result.chars, nats, bits(nats), std::exp(nats)));
  }
  return 0;
}

void add_score_command(CLI::App& app, const Globals& globals, Action& action) {
  auto options = std::make_shared<ScoreOptions>();
  CLI::App* command =
      app.add_subcommand("score", "measure how surprising a text is: as a whole, per line or per character");
  add_model_choice(*command, options->model);
  command->add_option("text", options->file, "text to score; - for stdin")->required()->type_name("FILE|-");
  auto* lines =
      command->add_flag("--lines", options->lines, "print for each line: number, characters, bits per character, text");
  command->add_flag("--chars", options->chars, "print for each character: position, bits, text")->excludes(lines);
  command->add_option("--html", options->html, "also write the text, coloured by surprise, as a web page")
      ->type_name("FILE");
  add_eval_choice(*command, options->eval);
  command->add_flag("--json", options->json,
                    "print JSON; with --lines or --chars one object per line, instead of columns separated by tabs");
  on_chosen(command, action, [options, &globals] {
    options->eval.quiet = globals.quiet;
    return score(*options);
  });
}
}  // namespace

void add_score(Extras& extras) {
  extras.commands.emplace_back(add_score_command);
  extras.commands.emplace_back(add_next_command);
}
}  // namespace charnn::cli
