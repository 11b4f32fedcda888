#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/terminal.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
namespace {
struct Options {
  ModelChoice model;
  std::string file;
  bool lines = false;
  bool chars = false;
  bool json = false;
  std::string html;
  EvalChoice eval;
};

struct ScoredText {
  const Corpus& corpus;
  std::vector<float> nats;  ///< -log p of each symbol; NaN for the first, which is not predicted
};

/// Calls each(position, symbol's text, its nats) for every symbol until it returns false.
template <class Each>
void for_each_symbol(const ScoredText& text, Each each) {
  const Corpus& corpus = text.corpus;
  std::vector<std::int64_t> ids;
  for (std::int64_t position = 0; position < corpus.size();) {
    ids.resize(std::min<std::size_t>(text.nats.size() - position, 1 << 16));
    corpus.copy(position, ids);
    for (const std::int64_t id : ids) {
      if (!each(position, corpus.vocabulary().text(id), static_cast<double>(text.nats[position]))) return;
      ++position;
    }
  }
}

std::string json_line(const nlohmann::ordered_json& record) {
  return record.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace) + "\n";
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
        json ? json_line({{"line", number}, {"chars", score.chars}, {"bits_per_char", cost}, {"text", line}})
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
    return output.add(json ? json_line({{"position", position}, {"bits", bits(nats)}, {"char", symbol}})
                           : fmt::format("{}\t{}\t{}\n", position, column(bits(nats)), on_one_line(symbol)));
  });
  output.end();
}

std::string escaped_html(std::string_view plain) {
  std::string out;
  for (const char c : plain)
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

/// Writes a self-contained web page.
void write_html(const ScoredText& text, const std::string& path, const std::string& title, double bits_per_char) {
  if (std::filesystem::exists(path))
    fail_input(path + " exists already", "a new file", "remove it, or choose another (--html)");
  const std::string name = escaped_html(safe_for_terminal(title));
  AtomicFile file(path);
  file.write(
      fmt::format("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title>\n"
                  "<style>body{{background:#fff;color:#000;font:15px/1.5 monospace;margin:2em}}"
                  "pre{{white-space:pre-wrap;font:inherit}}",
                  name));
  constexpr int shades = 16;  // one per bit, from white to red; the last for everything above
  for (int shade = 0; shade < shades; ++shade)
    file.write(fmt::format(".s{}{{background:hsl(10 100% {}%)}}", shade, 100 - 3 * shade));
  file.write(
      fmt::format("</style>\n<h1>{}</h1>\n<p>{:.4f} bits per character. The redder, the more surprising; "
                  "hover over a character to see its bits.</p>\n<pre>",
                  name, bits_per_char));
  std::string buffer;
  for_each_symbol(text, [&](std::int64_t, const std::string& symbol, double nats) {
    const double cost = bits(nats);
    const std::string visible = symbol == "\n" ? "\u21b5\n" : escaped_html(safe_for_terminal(symbol));
    buffer += std::isnan(cost) ? visible
                               : fmt::format("<span class=s{} title={:.2f}>{}</span>",
                                             static_cast<int>(std::min(shades - 1.0, cost)), cost, visible);
    if (buffer.size() >= (1 << 16)) file.write(std::exchange(buffer, {}));
    return true;
  });
  file.write(buffer + "</pre></html>\n");
  file.commit();
}

/// stdin as a file with random access; a pipe is copied to a temporary file first.
std::string stdin_as_file() {
  struct stat status {};
  if (::fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode) && ::lseek(STDIN_FILENO, 0, SEEK_CUR) == 0)
    return "/dev/stdin";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  if (!file) fail_errno("cannot create a temporary file for stdin", "check that /tmp is writable and not full");
  char buffer[1 << 16];
  for (ssize_t count = 0; (count = ::read(STDIN_FILENO, buffer, sizeof buffer)) != 0;) {
    if (count < 0 && errno != EINTR) fail_errno("cannot read stdin", "");
    if (count > 0 && std::fwrite(buffer, count, 1, file.get()) != 1)
      fail_errno("cannot copy stdin to a temporary file", "free some space in /tmp");
  }
  if (std::fflush(file.get()) != 0 || ::dup2(::fileno(file.get()), STDIN_FILENO) < 0)
    fail_errno("cannot copy stdin to a temporary file", "free some space in /tmp");
  return "/dev/stdin";
}

int score(const Options& options) {
  const std::vector<LoadedModel> models = load_models(options.model, options.eval.with);
  const Corpus corpus = open_text_of(models[0], {options.file == "-" ? stdin_as_file() : options.file});
  EvalChoice eval = options.eval;
  ScoredText scored{corpus, {}};
  if (options.lines || options.chars || !options.html.empty()) {
    scored.nats.assign(corpus.size(), std::numeric_limits<float>::quiet_NaN());
    eval.options.each = [&](std::int64_t first, std::span<const float> some) {
      std::copy(some.begin(), some.end(), scored.nats.begin() + first);
    };
  }
  const EvalResult result = measure(models, corpus, corpus.all(), eval);
  const double nats = result.loss();
  if (!options.html.empty()) write_html(scored, options.html, options.file, bits(nats));
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

void add_score_command(CLI::App& app, const Globals&, Action& action) {
  auto options = std::make_shared<Options>();
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
  on_chosen(command, action, [options] { return score(*options); });
}
}  // namespace

void add_score(Extras& extras) { extras.commands.emplace_back(add_score_command); }
}  // namespace charnn::cli
