#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/cli/extras.h"
#include "core/cli/run_folder.h"
#include "core/cli/runtime.h"
#include "extras/score/score_report.h"

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

/// stdin as a file that can be read anywhere: where it is a pipe, it is copied into one first.
std::string stdin_as_file() {
  struct stat status {};
  if (::fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode) && ::lseek(STDIN_FILENO, 0, SEEK_CUR) == 0)
    return "/dev/stdin";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  if (!file) fail_errno("cannot make a temporary file for stdin", "see that /tmp can be written to and has room");
  char buffer[1 << 16];
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno("cannot read stdin", "");
    if (count == 0) break;
    if (std::fwrite(buffer, 1, static_cast<std::size_t>(count), file.get()) != static_cast<std::size_t>(count))
      fail_errno("cannot copy stdin to a temporary file", "free some space there");
  }
  if (std::fflush(file.get()) != 0 || ::dup2(::fileno(file.get()), STDIN_FILENO) < 0)
    fail_errno("cannot copy stdin to a temporary file", "free some space there");
  return "/dev/stdin";
}

int score(const Options& options) {
  const LoadedModel loaded = load_model(options.model);
  DataConfig data = loaded.config.data;
  data.files = {options.file == "-" ? stdin_as_file() : options.file};
  const Corpus corpus(data, loaded.checkpoint.vocabulary);
  const auto network = make_network(loaded, options.eval);

  EvalOptions eval = options.eval.options;
  std::vector<float> nats;  // of each character; only where it is asked for
  if (options.lines || options.chars || !options.html.empty()) {
    nats.assign(static_cast<std::size_t>(corpus.size()), std::numeric_limits<float>::quiet_NaN());
    eval.each = [&](std::int64_t first, std::span<const float> some) {
      std::copy(some.begin(), some.end(), nats.begin() + first);
    };
  }
  const EvalResult result = *evaluate(*network, corpus, corpus.all(), eval);
  const ScoredText scored{corpus, nats};
  if (!options.html.empty()) write_score_html(scored, options.html, options.file, bits(result.loss()));
  if (options.lines) return print_lines(scored, options.json), 0;
  if (options.chars) return print_chars(scored, options.json), 0;
  if (options.json) {
    write_json({{"checkpoint", loaded.path},
                {"file", options.file},
                {"chars", result.chars},
                {"nats_per_char", result.loss()},
                {"bits_per_char", bits(result.loss())},
                {"perplexity", std::exp(result.loss())}});
    return 0;
  }
  write_report(fmt::format("{}: {} characters\nnats/char   {:.6f}\nbits/char   {:.6f}\nperplexity  {:.6f}\n",
                           options.file, result.chars, result.loss(), bits(result.loss()), std::exp(result.loss())));
  return 0;
}

void add_score_command(CLI::App& app, const Globals&, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("score", "tell how surprising a text is: as a whole, by line, by character");
  add_model_choice(*command, options->model);
  command->add_option("text", options->file, "text to score; - for stdin")->required()->type_name("FILE|-");
  auto* lines = command->add_flag("--lines", options->lines,
                                  "of each line its number, characters, bits per character and text, with tabs "
                                  "between them; with --json as JSON lines");
  command
      ->add_flag("--chars", options->chars,
                 "of each character its position, bits and text, with tabs between them; with --json as JSON lines")
      ->excludes(lines);
  command->add_option("--html", options->html, "write the text, coloured by surprise, as a web page, too")
      ->type_name("FILE");
  add_eval_choice(*command, options->eval);
  command->add_flag("--json", options->json, "print JSON");
  on_chosen(command, action, [options] { return score(*options); });
}
}  // namespace

void add_score(Extras& extras) { extras.commands.emplace_back(add_score_command); }
}  // namespace charnn::cli
