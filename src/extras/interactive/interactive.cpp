#include <clocale>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <editline/readline.h>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
namespace {
constexpr const char* help =
    "Each line is a prompt; \\n in it stands for a newline. An empty line continues the last text.\n"
    "Ctrl-C stops an answer, Ctrl-D ends the session. Commands:\n"
    "  :temperature 0.5   set any sampling option of charnn sample (:options lists them)\n"
    "  :stop TEXT         end texts before this string; without TEXT: do not\n"
    "  :seed N            seed of the next text\n"
    "  :options  :help  :quit\n"
    "For a prompt that begins with a colon, type two colons.";

volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_interrupt(int) { interrupted = 1; }

/// Returns nullopt at the end of input, or if Ctrl-C interrupted reading.
std::optional<std::string> read_line(bool terminal) {
  std::string line;
  if (!terminal) return std::getline(std::cin, line) ? std::optional(line) : std::nullopt;
  char* typed = ::readline("> ");
  if (typed == nullptr) return std::nullopt;
  line = typed;
  std::free(typed);
  if (!line.empty()) ::add_history(line.c_str());
  return line;
}

/// The options that can still change: the weights are loaded, and a beam search shows nothing before it ends.
std::vector<Field> settable(SampleConfig& config) {
  std::vector<Field> fields = describe(config).fields;
  std::erase_if(fields, [](const Field& field) { return field.name == "weights" || field.name == "beams"; });
  return fields;
}

class Conversation {
 public:
  Conversation(TextMaker& maker, TextOptions options, std::uint64_t seed, bool raw)
      : maker_(maker), options_(std::move(options)), seed_(seed), raw_(raw) {}

  /// Returns false if the line ends the session.
  bool handle_line(const std::string& line) {
    const bool colons = line.starts_with("::");
    if (line.starts_with(':') && !colons) return command(line.substr(1));
    if (line.empty())
      answer(last_text_, /*echo=*/false);
    else
      answer(unescaped(line.substr(colons ? 1 : 0)), /*echo=*/true);
    return true;
  }

 private:
  bool command(const std::string& text) {
    const std::string name = text.substr(0, text.find(' '));
    const std::string value = name.size() < text.size() ? text.substr(name.size() + 1) : "";
    if (name == "quit" || name == "q") return false;
    if (name == "help" || name == "h") {
      say("{}", help);
    } else if (name == "options") {
      for (const Field& field : settable(options_.config))
        say("  :{} {}   {}", field.flag, to_text(field.get()), field.help);
    } else if (name == "stop") {
      TextOptions changed = options_;
      changed.stops.clear();
      if (!value.empty()) changed.stops.push_back(unescaped(value));
      take(changed);
    } else {
      set(name, value);
    }
    return true;
  }

  void take(const TextOptions& changed) {
    maker_.prepare(changed);  // throws if the options do not fit together
    options_ = changed;
  }

  void set(const std::string& name, const std::string& value) {
    TextOptions changed = options_;
    std::int64_t seed = -1;
    std::vector<Field> fields = settable(changed.config);
    fields.push_back(Field::integer("seed", seed, at_least(0)));
    std::vector<std::string> names{"stop", "options", "help", "quit"};
    for (Field& field : fields) {
      names.push_back(field.flag);
      if (field.flag != name) continue;
      if (field.type == Field::Type::text_list && value.empty())
        assign(field, Value(std::vector<std::string>()), ":" + name);
      else
        assign_text(field, field.type == Field::Type::text ? unescaped(value) : value, ":" + name);
      take(changed);
      if (seed >= 0) seed_ = static_cast<std::uint64_t>(seed);
      return;
    }
    fail_input(fmt::format(":{}: unknown command", name), "a command (:help shows them)",
               did_you_mean(nearest(name, names)));
  }

  void answer(const std::string& prompt, bool echo) {
    TextOptions text = options_;
    text.prompt = prompt;
    text.prompt_name = "the line";
    PreparedText prepared = maker_.prepare(text);
    if (!prepared.note.empty()) say("charnn: {}", prepared.note);
    TextOutput output(raw_);
    last_text_ = prepared.shown_prompt;
    if (echo) output.add(prepared.shown_prompt);
    prepared.job.seed = seed_++;
    prepared.job.on_text = [&](const TextPiece& piece) {
      last_text_ += piece.text;
      return output.add(piece.text);
    };
    Generator generator = maker_.generator();
    generate(generator, std::move(prepared.job), [] { return interrupted == 0; });
    output.add("\n");
    output.end();
  }

  TextMaker& maker_;
  TextOptions options_;
  std::uint64_t seed_;
  bool raw_;
  std::string last_text_;  ///< with its prompt
};

/// charnn sample --interactive
class Interactive : public SampleExtra {
 public:
  void add_options(CLI::App& command) override {
    CLI::Option* flag =
        command.add_flag("-i,--interactive", chosen_, "interactive mode: type a prompt, get a continuation; see :help");
    for (const char* other : {"--prompt", "--prompt-file", "--num", "--files", "--no-echo"})
      flag->excludes(command.get_option(other));
  }

  std::optional<int> take_over(TextMaker& maker, const SampleOptions& options, std::uint64_t seed) override {
    if (!chosen_) return std::nullopt;
    if (options.text.config.beams > 1)
      fail_input("--interactive with --beams: a search shows nothing before it ends", "", "leave one of them out");
    struct sigaction action {};
    action.sa_handler = on_interrupt;  // without SA_RESTART, so that it also ends waiting for a line
    ::sigaction(SIGINT, &action, nullptr);
    const bool terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
    if (terminal) {
      std::setlocale(LC_CTYPE, "");  // libedit reads UTF-8 only if the locale says so
      ::rl_initialize();
      ::using_history();
      say("Type a prompt; :help explains more, Ctrl-D ends.");
    }
    Conversation conversation(maker, options.text, seed, options.raw);
    for (;;) {
      interrupted = 0;
      const auto line = read_line(terminal);
      if (!line && interrupted == 0) return 0;
      if (!line) {
        write_stdout("\n");  // Ctrl-C drops the line
        std::cin.clear();
        continue;
      }
      try {
        if (!conversation.handle_line(*line)) return 0;
      } catch (const Error& error) {
        if (error.code() != ExitCode::usage) throw;
        say("{}", error.what());
      }
    }
  }

 private:
  bool chosen_ = false;
};
}  // namespace

void add_interactive(Extras& extras) {
  extras.sample.emplace_back([] { return std::make_unique<Interactive>(); });
}
}  // namespace charnn::cli
