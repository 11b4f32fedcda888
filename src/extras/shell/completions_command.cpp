#include <algorithm>
#include <memory>
#include <fmt/format.h>
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "extras/shell/option_table.h"

namespace charnn::cli {
namespace {
bool is_plain(const std::string& word) {
  constexpr const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,+/:";
  return !word.empty() && word.find_first_not_of(plain) == std::string::npos;
}

std::string replaced(const std::string& text, const std::string& special, const std::string& before) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) != std::string::npos) result += before;
    result += c;
  }
  return result;
}

/// One word of bash and zsh, whatever it holds.
std::string posix_word(const std::string& word) {
  if (is_plain(word)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string fish_quoted(const std::string& word) { return "'" + replaced(word, "\\'", "\\") + "'"; }
std::string fish_word(const std::string& word) { return is_plain(word) ? word : fish_quoted(word); }

std::vector<std::string> names_of(const std::vector<OptionRow>& rows) {
  std::vector<std::string> names;
  for (const OptionRow& row : rows) names.insert(names.end(), row.names.begin(), row.names.end());
  return names;
}

/// What may follow `command`: its own options, then those of the program that it does not have itself.
std::vector<OptionRow> flags_of(const OptionTable& table, const CommandRow& command) {
  std::vector<OptionRow> flags = command.flags();
  if (!table.flags_after_command) return flags;
  const std::vector<std::string> own = names_of(flags);
  for (const OptionRow& row : table.program.flags())
    if (std::find_first_of(row.names.begin(), row.names.end(), own.begin(), own.end()) == row.names.end())
      flags.push_back(row);
  return flags;
}

// ---- bash: the words stand in one function, which is all that is needed. bash 3.2 (macOS) can run it.

std::string bash_offer(const OptionRow& row) {
  switch (row.offer) {
    case Offer::files: return "take=files";
    case Offer::folders: return "take=folders";
    case Offer::values:
    case Offer::keys:
      return fmt::format("take={} words=({})", row.offer == Offer::keys ? "keys" : "words",
                         joined(row.values, " ", posix_word));
    case Offer::nothing: break;
  }
  return "take=nothing";
}

std::string bash_command(const std::string& name, const std::vector<OptionRow>& flags,
                         const std::vector<OptionRow>& positionals) {
  std::string text =
      fmt::format("    {})\n      options=({})\n", posix_word(name), joined(names_of(flags), " ", posix_word));
  for (const OptionRow& row : positionals) text += "      " + bash_offer(row) + "\n";
  text += "      case $previous in\n";
  for (const OptionRow& row : flags)
    if (!row.value.empty())
      text += fmt::format("        {}) {} ;;\n", joined(row.names, " | ", posix_word), bash_offer(row));
  return text + "        *) value=0 ;;\n      esac\n      ;;\n";
}

constexpr const char* bash_begin = R"(# charnn for bash: source this file, or keep it as
# ~/.local/share/bash-completion/completions/charnn
_charnn() {
  local word= previous= command= take=options value=1 i
  local words=() options=()
  COMPREPLY=()
  word=${COMP_WORDS[COMP_CWORD]}
  [ "$COMP_CWORD" -gt 0 ] && previous=${COMP_WORDS[COMP_CWORD - 1]}
  # bash makes three words of --option=value.
  if [ "$word" = = ]; then
    word=
  elif [ "$previous" = = ] && [ "$COMP_CWORD" -gt 1 ]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
)";

constexpr const char* bash_end = R"(  esac
  if [ "$value" = 0 ]; then
    case $word in
      -*) take=options ;;
    esac
  fi
  case $take in
    files)
      while IFS= read -r i; do COMPREPLY+=("$i"); done < <(compgen -f -- "$word")
      compopt -o filenames -o default 2> /dev/null
      ;;
    folders)
      while IFS= read -r i; do COMPREPLY+=("$i"); done < <(compgen -d -- "$word")
      compopt -o filenames -o dirnames 2> /dev/null
      ;;
    options | words | keys)
      [ "$take" = options ] && words=("${options[@]}")
      [ "$take" = keys ] && compopt -o nospace 2> /dev/null
      for i in "${words[@]}"; do
        case $i in
          "$word"*) COMPREPLY+=("$i") ;;
        esac
      done
      ;;
  esac
}
complete -F _charnn charnn
)";

std::string bash_script(const OptionTable& table) {
  const auto name = [](const CommandRow& command) { return posix_word(command.name); };
  std::string text = bash_begin;
  text += fmt::format("      {})\n        command=${{COMP_WORDS[i]}}\n        break\n        ;;\n    esac\n  done\n",
                      joined(table.commands, " | ", name));
  text += "  case $command in\n";
  OptionRow commands;
  commands.offer = Offer::values;
  for (const CommandRow& command : table.commands) commands.values.push_back(command.name);
  text += bash_command("", table.program.flags(), {commands});
  for (const CommandRow& command : table.commands)
    text += bash_command(command.name, flags_of(table, command), command.positionals());
  return text + bash_end;
}

// ---- zsh: specifications for _arguments.

std::string zsh_offer(const OptionRow& row) {
  const std::string message = ":" + replaced(row.value, "\\:", "\\") + ":";
  const auto word = [](const std::string& value) { return replaced(value, "\\:()[]{}\"'`$&;|<>*?~#^ ", "\\"); };
  switch (row.offer) {
    case Offer::files: return message + "_files";
    case Offer::folders: return message + "_files -/";
    case Offer::values: return message + "(" + joined(row.values, " ", word) + ")";
    case Offer::keys: return message + "compadd -S \"\" - " + joined(row.values, " ", word);
    case Offer::nothing: break;
  }
  return message + " ";
}

std::string zsh_arguments(const std::vector<OptionRow>& flags, const std::vector<OptionRow>& positionals) {
  std::string text;
  const auto add = [&](const std::string& spec) { text += " \\\n        " + posix_word(spec); };
  for (const OptionRow& row : flags) {
    std::vector<std::string> instead = row.excludes;
    if (!row.repeats) instead.insert(instead.end(), row.names.begin(), row.names.end());
    for (const std::string& name : row.names) {
      std::string spec = instead.empty() ? "" : fmt::format("({})", fmt::join(instead, " "));
      if (row.repeats) spec += "*";
      spec += name;
      if (!row.value.empty() && name.rfind("--", 0) == 0) spec += "=";
      add(fmt::format("{}[{}]{}", spec, replaced(row.help, "\\[]", "\\"), row.value.empty() ? "" : zsh_offer(row)));
    }
  }
  for (const OptionRow& row : positionals)
    add(fmt::format("{}{}", row.repeats ? "*" : row.required ? "" : ":", zsh_offer(row)));
  return text;
}

std::string zsh_script(const OptionTable& table) {
  std::string text =
      "#compdef charnn\n# charnn for zsh: keep this file as _charnn in a folder of $fpath.\n_charnn() {\n"
      "  local curcontext=$curcontext state line\n  typeset -A opt_args\n  local -a commands=(";
  for (const CommandRow& command : table.commands)
    text += "\n    " + posix_word(replaced(command.name, "\\:", "\\") + ":" + replaced(command.help, "\\", "\\"));
  text += fmt::format("\n  )\n  _arguments -C{}", zsh_arguments(table.program.flags(), {}));
  text +=
      " \\\n        '1: :->command' \\\n        '*:: :->argument' && return\n"
      "  case $state in\n    command) _describe -t commands command commands ;;\n"
      "    argument)\n      curcontext=${curcontext%:*}-$line[1]:\n      case $line[1] in\n";
  for (const CommandRow& command : table.commands)
    text += fmt::format("        {}) _arguments{} ;;\n", posix_word(command.name),
                        zsh_arguments(flags_of(table, command), command.positionals()));
  return text +
         "      esac\n      ;;\n  esac\n}\n"
         "# Both ways of loading it work: from $fpath, and by source.\n"
         "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _charnn \"$@\"; else compdef _charnn charnn; "
         "fi\n";
}

// ---- fish: a line for each option.

std::string fish_offer(const OptionRow& row) {
  switch (row.offer) {
    case Offer::files: return " -r -F";
    case Offer::folders: return " -x -a '(__fish_complete_directories)'";
    case Offer::values:
    case Offer::keys: return " -x -a " + fish_quoted(joined(row.values, " ", fish_word));
    case Offer::nothing: break;
  }
  return " -x";
}

std::string fish_command(const std::string& name, const std::vector<OptionRow>& flags,
                         const std::vector<OptionRow>& positionals) {
  const std::string begin = "complete -c charnn -n " + fish_quoted("__charnn_command_is " + fish_quoted(name));
  std::string text;
  for (const OptionRow& row : positionals)
    text += row.offer == Offer::values
                ? fmt::format("{} -a {}\n", begin, fish_quoted(joined(row.values, " ", fish_word)))
                : begin + " -F\n";
  for (const OptionRow& row : flags) {
    text += begin;
    for (const std::string& option : row.names)
      text += option.rfind("--", 0) == 0 ? " -l " + fish_word(option.substr(2)) : " -s " + fish_word(option.substr(1));
    text += fmt::format("{} -d {}\n", row.value.empty() ? "" : fish_offer(row), fish_quoted(row.help));
  }
  return text;
}

std::string fish_script(const OptionTable& table) {
  const auto name = [](const CommandRow& command) { return fish_word(command.name); };
  std::string text = fmt::format(
      "# charnn for fish: keep this file as ~/.config/fish/completions/charnn.fish\n"
      "function __charnn_command_is\n  for word in (commandline -opc)[2..-1]\n"
      "    if contains -- $word {}\n      test \"$word\" = \"$argv[1]\"\n      return\n    end\n  end\n"
      "  test -z \"$argv[1]\"\nend\ncomplete -c charnn -f\n",
      joined(table.commands, " ", name));
  for (const CommandRow& command : table.commands)
    text += fmt::format("complete -c charnn -n \"__charnn_command_is ''\" -a {} -d {}\n", fish_word(command.name),
                        fish_quoted(command.help));
  text += fish_command("", table.program.flags(), {});
  for (const CommandRow& command : table.commands)
    text += fish_command(command.name, flags_of(table, command), command.positionals());
  return text;
}

struct Shell {
  const char* name;
  std::string (*script)(const OptionTable&);
};
constexpr Shell shells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
}  // namespace

void add_completions_command(CLI::App& app, const Globals&, Action& action) {
  auto chosen = std::make_shared<std::string>();
  std::vector<std::string> names;
  for (const Shell& shell : shells) names.emplace_back(shell.name);
  CLI::App* command = app.add_subcommand("completions", "print what lets a shell complete commands and options");
  command->add_option("shell", *chosen, "the shell it is for")
      ->required()
      ->check(CLI::IsMember(names))
      ->type_name("SHELL");
  on_chosen(command, action, [&app, chosen] {
    const Config defaults;
    const OptionTable table = option_table(app, describe_const(defaults));
    for (const Shell& shell : shells)
      if (*chosen == shell.name) write_stdout(shell.script(table));
    return 0;
  });
}
}  // namespace charnn::cli
