#include <fmt/format.h>
#include "core/base/describe.h"
#include "extras/shell/shell.h"

namespace charnn::cli {
namespace {
/// Puts `before` in front of every character of `text` that is in `special`.
std::string escaped(const std::string& text, std::string_view special, const char* before = "\\") {
  std::string result;
  for (const char c : text) {
    if (special.find(c) != special.npos) result += before;
    result += c;
  }
  return result;
}

std::string posix_quoted(const std::string& word) { return "'" + escaped(word, "'", "'\\'") + "'"; }
std::string fish_quoted(const std::string& word) { return "'" + escaped(word, "\\'") + "'"; }

/// The command with the program's flags, which may follow it.
CommandRow with_program_flags(CommandRow command, const OptionTable& table) {
  command.flags.insert(command.flags.end(), table.program.flags.begin(), table.program.flags.end());
  return command;
}

// ---- bash: one function that holds all the words and needs no bash-completion package. Works with bash 3.2 (macOS).

std::string bash_offer(const OptionRow& row) {
  const std::string words = fmt::format(" words=({})", joined(row.values, " ", posix_quoted));
  return fmt::format("take={}{}", name_of(row.offer, offer_names), row.values.empty() ? "" : words);
}

std::string bash_command(const CommandRow& command) {
  const auto names = [](const OptionRow& row) { return fmt::format("{}", fmt::join(row.names, " ")); };
  std::string text = fmt::format("    {})\n      options=({})\n", command.name, joined(command.flags, " ", names));
  for (const OptionRow& row : command.positionals) text += "      " + bash_offer(row) + "\n";
  text += "      case $previous in\n";
  for (const OptionRow& row : command.flags)
    if (!row.value.empty()) text += fmt::format("        {}) {} ;;\n", fmt::join(row.names, " | "), bash_offer(row));
  return text + "        *) value=0 ;;\n      esac\n      ;;\n";
}

constexpr const char* bash_begin = R"(# charnn for bash: source this file, or save it as
# ~/.local/share/bash-completion/completions/charnn
_charnn() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command= take=options value=1 i words=() options=()
  COMPREPLY=()
  # bash splits --option=value into three words.
  if [ "$previous" = = ]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi
  if [ "$word" = = ]; then word=; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
)";

constexpr const char* bash_end = R"(  esac
  if [[ $value = 0 && $word == -* ]]; then take=options; fi
  case $take in
    files) compopt -o filenames -o default ;;
    folders) compopt -o filenames -o dirnames ;;
    keys) compopt -o nospace ;;
    options) words=("${options[@]}") ;;
  esac 2> /dev/null
  while IFS= read -r i; do COMPREPLY+=("$i"); done < <(
    case $take in
      files) compgen -f -- "$word" ;;
      folders) compgen -d -- "$word" ;;
      options | values | keys) compgen -W "${words[*]}" -- "$word" ;;
    esac
  )
}
complete -F _charnn charnn
)";

// ---- zsh: specifications for _arguments.

std::string zsh_offer(const OptionRow& row) {
  const auto word = [](const std::string& value) { return escaped(value, "\\:()[]{}\"'`$&;|<>*?~#^ "); };
  const std::string message = ":" + escaped(row.value, "\\:") + ":";
  const std::string values = joined(row.values, " ", word);
  switch (row.offer) {
    case Offer::nothing: break;
    case Offer::values: return message + "(" + values + ")";
    case Offer::keys: return message + "compadd -S \"\" - " + values;
    case Offer::files: return message + "_files";
    case Offer::folders: return message + "_files -/";
  }
  return message + " ";
}

std::string zsh_arguments(const CommandRow& command) {
  std::string text;
  const auto add = [&](const std::string& spec) { text += " \\\n        " + posix_quoted(spec); };
  for (const OptionRow& row : command.flags) {
    std::vector<std::string> replaces = row.excludes;  // no longer offered after this one
    if (!row.repeats) replaces.insert(replaces.end(), row.names.begin(), row.names.end());
    const std::string prefix = row.repeats ? "*" : "", offer = row.value.empty() ? "" : zsh_offer(row);
    for (const std::string& name : row.names)
      add(fmt::format("{}{}{}{}[{}]{}", replaces.empty() ? "" : fmt::format("({})", fmt::join(replaces, " ")), prefix,
                      name, !offer.empty() && name.starts_with("--") ? "=" : "", escaped(row.help, "\\[]"), offer));
  }
  for (const OptionRow& row : command.positionals) add((row.repeats ? "*" : row.required ? "" : ":") + zsh_offer(row));
  return text;
}

constexpr const char* zsh_begin = R"(#compdef charnn
# charnn for zsh: save this file as _charnn in a folder of $fpath.
_charnn() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a commands=()";

constexpr const char* zsh_middle = R"( '1: :->command' '*:: :->argument' && return
  if [[ $state == command ]]; then
    _describe -t commands command commands
    return
  fi
  curcontext=${curcontext%:*}-$line[1]:
  case $line[1] in
)";

constexpr const char* zsh_end = R"(  esac
}
# Loaded from $fpath, or sourced.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _charnn "$@"; else compdef _charnn charnn; fi
)";

// ---- fish: one line for each option.

std::string fish_offer(const OptionRow& row) {
  switch (row.offer) {
    case Offer::nothing: break;
    case Offer::values:
    case Offer::keys: return " -x -a " + fish_quoted(joined(row.values, " ", fish_quoted));
    case Offer::files: return " -r -F";
    case Offer::folders: return " -x -a '(__fish_complete_directories)'";
  }
  return " -x";
}

constexpr char fish_begin[] = R"(# charnn for fish: save this file as ~/.config/fish/completions/charnn.fish
function __charnn_command_is
  for word in (commandline -opc)[2..-1]
    if contains -- $word {}
      test "$word" = "$argv[1]"
      return
    end
  end
  test -z "$argv[1]"
end
complete -c charnn -f
)";

std::string fish_command(const CommandRow& command) {
  const std::string begin = fmt::format("complete -c charnn -n \"__charnn_command_is '{}'\"", command.name);
  std::string text;
  for (const OptionRow& row : command.positionals) text += begin + fish_offer(row) + "\n";
  for (const OptionRow& row : command.flags) {
    text += begin;
    for (const std::string& name : row.names)
      text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    text += fmt::format("{} -d {}\n", row.value.empty() ? "" : fish_offer(row), fish_quoted(row.help));
  }
  return text;
}
}  // namespace

std::string bash_script(const OptionTable& table) {
  CommandRow program = table.program;
  program.name = "''";
  OptionRow& commands = program.positionals.emplace_back();
  commands.offer = Offer::values;
  for (const CommandRow& command : table.commands) commands.values.push_back(command.name);
  std::string text = bash_begin;
  text += fmt::format("      {})\n        command=${{COMP_WORDS[i]}}\n        break\n        ;;\n    esac\n  done\n",
                      fmt::join(commands.values, " | "));
  text += "  case $command in\n" + bash_command(program);
  for (const CommandRow& command : table.commands) text += bash_command(with_program_flags(command, table));
  return text + bash_end;
}

std::string zsh_script(const OptionTable& table) {
  std::string text = zsh_begin;
  for (const CommandRow& command : table.commands)
    text += "\n    " + posix_quoted(command.name + ":" + escaped(command.help, "\\"));
  text += fmt::format("\n  )\n  _arguments -C{}{}", zsh_arguments(table.program), zsh_middle);
  for (const CommandRow& command : table.commands)
    text += fmt::format("    {}) _arguments{} ;;\n", command.name, zsh_arguments(with_program_flags(command, table)));
  return text + zsh_end;
}

std::string fish_script(const OptionTable& table) {
  const auto name = [](const CommandRow& command) { return command.name; };
  std::string text = fmt::format(fish_begin, joined(table.commands, " ", name));
  for (const CommandRow& command : table.commands)
    text += fmt::format("complete -c charnn -n \"__charnn_command_is ''\" -a {} -d {}\n", command.name,
                        fish_quoted(command.help));
  text += fish_command({"", "", {}, table.program.flags});
  for (const CommandRow& command : table.commands) text += fish_command(with_program_flags(command, table));
  return text;
}
}  // namespace charnn::cli
