#include <clocale>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <unistd.h>
#include <editline/readline.h>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"

namespace charnn::cli {
namespace {
constexpr const char* help =
    "A line is the beginning of a text; \\n in it is a line break. An empty line goes on with the last "
    "text.\n"
    "Ctrl-C stops an answer, Ctrl-D ends. Commands:\n"
    "  :temperature 0.5   and so on: every option of charnn sample's \"Writing text\" (:options shows them)\n"
    "  :stop TEXT         end texts before this; without TEXT: no more\n"
    "  :seed N            of the next text\n"
    "  :options  :help  :quit\n"
    "A text that begins with a colon: write two.";

volatile std::sig_atomic_t interrupted = 0;

extern "C" void on_interrupt(int) { interrupted = 1; }

/// Ctrl-C ends what is going on, and not the program, while this lives.
class Interrupts {
 public:
  Interrupts() {
    struct sigaction action {};
    action.sa_handler = on_interrupt;  // without SA_RESTART: waiting for a line ends, too
    ::sigaction(SIGINT, &action, &before_);
  }
  ~Interrupts() { ::sigaction(SIGINT, &before_, nullptr); }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  static bool seen() noexcept { return interrupted != 0; }
  static void forget() noexcept { interrupted = 0; }

 private:
  struct sigaction before_ {};
};

/// Lines as they are typed, with editing and history on a terminal.
class Lines {
 public:
  Lines() : terminal_(::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {
    if (!terminal_) return;
    std::setlocale(LC_CTYPE, "");  // the library reads UTF-8 only if the terminal is said to
    ::rl_initialize();
    ::using_history();
  }

  bool terminal() const noexcept { return terminal_; }

  /// Nothing: the end.
  std::optional<std::string> next() {
    for (;;) {
      Interrupts::forget();
      std::optional<std::string> line = terminal_ ? edited() : plain();
      if (line || !Interrupts::seen()) return line;
      write_stdout("\n");  // Ctrl-C drops the line
      std::cin.clear();
    }
  }

 private:
  static std::optional<std::string> plain() {
    std::string line;
    return std::getline(std::cin, line) ? std::optional(line) : std::nullopt;
  }
  static std::optional<std::string> edited() {
    char* typed = ::readline("> ");
    if (typed == nullptr) return std::nullopt;
    std::string line = typed;
    std::free(typed);
    if (!line.empty()) ::add_history(line.c_str());
    return line;
  }

  bool terminal_;
};

/// "\n", "\t" and "\\" as they are meant.
std::string unescaped(const std::string& typed) {
  std::string text;
  for (std::size_t i = 0; i < typed.size(); ++i) {
    const char next = typed[i] == '\\' && i + 1 < typed.size() ? typed[i + 1] : '\0';
    if (next == 'n' || next == 't' || next == '\\') {
      text += next == 'n' ? '\n' : next == 't' ? '\t' : '\\';
      ++i;
    } else {
      text += typed[i];
    }
  }
  return text;
}

/// What can still be changed: the weights are loaded, and a search shows nothing before its end.
std::vector<Field> settable(SampleConfig& config) {
  std::vector<Field> fields = describe(config).fields;
  std::erase_if(fields, [](const Field& field) { return field.name == "weights" || field.name == "beams"; });
  return fields;
}

class Conversation {
 public:
  Conversation(TextMaker& maker, TextOptions options, std::uint64_t seed, bool raw)
      : maker_(maker), options_(std::move(options)), seed_(seed), raw_(raw) {}

  /// False: the end was asked for.
  bool handle_line(const std::string& line) {
    if (line.rfind(':', 0) == 0 && line.rfind("::", 0) != 0) return command(line.substr(1));
    if (line.empty())
      answer(so_far_, /*echo=*/false);
    else
      answer(unescaped(line.rfind("::", 0) == 0 ? line.substr(1) : line), /*echo=*/true);
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
      options_.stops.clear();
      if (!value.empty()) options_.stops.push_back(unescaped(value));
    } else if (name == "seed") {
      std::int64_t seed = 0;
      Field field = Field::integer("seed", seed, at_least(0), "seed");
      assign_text(field, value, ":seed");
      seed_ = static_cast<std::uint64_t>(seed);
    } else {
      set(name, value);
    }
    return true;
  }

  void set(const std::string& name, const std::string& value) {
    TextOptions changed = options_;
    std::vector<std::string> names{"stop", "seed", "options", "help", "quit"};
    for (Field& field : settable(changed.config)) {
      names.push_back(field.flag);
      if (field.flag != name) continue;
      if (field.type == Field::Type::text_list)
        assign(field, Value(value.empty() ? std::vector<std::string>() : std::vector{value}), ":" + name);
      else
        assign_text(field, field.type == Field::Type::text ? unescaped(value) : value, ":" + name);
      maker_.prepare(changed);  // refuses what does not fit
      options_ = changed;
      return;
    }
    fail_input(fmt::format(":{}: unknown command", name), "a command (:help shows them)",
               fmt::format("did you mean :{}?", nearest(name, names)));
  }

  void answer(const std::string& prompt, bool echo) {
    options_.prompt = prompt;
    options_.prompt_name = "the line";
    PreparedText prepared = maker_.prepare(options_);
    if (!prepared.note.empty()) say("charnn: {}", prepared.note);
    TextOutput output(raw_);
    so_far_ = prepared.shown_prompt;
    if (echo) output.add(prepared.shown_prompt);
    prepared.job.seed = seed_++;
    prepared.job.on_text = [&](const TextPiece& piece) {
      so_far_ += piece.text;
      return output.add(piece.text);
    };
    Generator generator = maker_.generator();
    generate(generator, std::move(prepared.job), [] { return !Interrupts::seen(); });
    output.add("\n");
    output.end();
  }

  TextMaker& maker_;
  TextOptions options_;
  std::uint64_t seed_;
  bool raw_;
  std::string so_far_;  ///< the last text, with its prompt
};

int interact(TextMaker& maker, const TextOptions& options, std::uint64_t seed, bool raw) {
  const Interrupts interrupts;
  Lines lines;
  Conversation conversation(maker, options, seed, raw);
  if (lines.terminal()) say("Type the beginning of a text; :help tells more, Ctrl-D ends.");
  while (const auto line = lines.next()) {
    try {
      if (!conversation.handle_line(*line)) return 0;
    } catch (const Error& error) {
      if (error.code() != ExitCode::usage) throw;
      say("{}", error.what());
    }
  }
  return 0;
}

/// charnn sample --interactive
class Interactive : public SampleExtra {
 public:
  void add_options(CLI::App& command) override {
    command.add_flag("-i,--interactive", chosen_, "type a prompt, get a continuation; :help there explains more")
        ->excludes(command.get_option("--prompt"))
        ->excludes(command.get_option("--prompt-file"))
        ->excludes(command.get_option("--num"))
        ->excludes(command.get_option("--files"))
        ->excludes(command.get_option("--no-echo"));
  }
  std::optional<int> take_over(TextMaker& maker, const SampleOptions& options, std::uint64_t seed) override {
    if (!chosen_) return std::nullopt;
    if (options.text.config.beams > 1)
      fail_input("--interactive with --beams: a search shows nothing before its end", "drawn text",
                 "leave one of them out");
    return interact(maker, options.text, seed, options.raw);
  }

 private:
  bool chosen_ = false;
};
}  // namespace

void add_interactive(Extras& extras) {
  extras.sample.emplace_back([] { return std::make_unique<Interactive>(); });
}
}  // namespace charnn::cli
