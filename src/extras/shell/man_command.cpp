#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/version.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "extras/shell/option_table.h"

namespace charnn::cli {
namespace {
/// Text as roff prints it unchanged, wherever it stands. The quotes and signs would else become typographic.
std::string roff(const std::string& text) {
  std::string result;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) result += "\\&";
    line_begins = c == '\n';
    switch (c) {
      case '\\': result += "\\e"; break;
      case '-': result += "\\-"; break;
      case '\'': result += "\\(aq"; break;
      case '`': result += "\\(ga"; break;
      case '^': result += "\\(ha"; break;
      case '~': result += "\\(ti"; break;
      default: result += c;
    }
  }
  return result;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }

/// Words in lines of a sensible length: roff fills the lines of the page itself.
std::string filled(const std::string& text) {
  constexpr std::size_t longest = 64;
  std::string result, word;
  std::size_t column = 0;
  for (const char c : text + "\n") {
    if (c != ' ' && c != '\n') {
      word += c;
      continue;
    }
    if (column > 0) result += column + word.size() >= longest ? '\n' : ' ';
    column = column > 0 && column + word.size() < longest ? column + word.size() + 1 : word.size();
    result += word;
    word.clear();
    if (c == '\n') {
      result += c;
      column = 0;
    }
  }
  result.pop_back();
  return roff(result);
}

/// A paragraph with `tag`, which is roff, at its left.
std::string tagged(const std::string& tag, const std::string& text) {
  return fmt::format(".TP\n{}\n{}\n", tag, filled(text));
}

/// [CONFIG.json], RUN..., as after the command's name.
std::string usage(const OptionRow& positional) {
  const std::string name = positional.value.empty() ? positional.names[0] : positional.value;
  const bool dots = positional.repeats && name.find("...") == std::string::npos;
  const std::string text = italic(name) + (dots ? "..." : "");
  return positional.required ? text : "[" + text + "]";
}

std::string usage(const CommandRow& command) {
  std::string text = fmt::format("[{}]", italic("OPTION"));
  text += "...";
  for (const OptionRow& row : command.positionals()) text += " " + usage(row);
  return text;
}

std::string describe_row(const OptionRow& row) {
  std::string text = row.help;
  const auto add = [&](const std::string& sentence) {
    if (!text.empty() && text.back() != '.') text += ".";
    text += "\n" + sentence + ".";
  };
  const auto plain = [](const std::string& word) { return word; };
  if (row.offer == Offer::values) add("One of " + joined(row.values, ", ", plain));
  if (!row.limits.empty()) add("Allowed: " + row.limits);
  if (!row.default_text.empty()) add("Default: " + row.default_text);
  if (row.repeats && !row.positional) add("May be given several times");
  if (!row.needs.empty()) add("Only with " + joined(row.needs, ", ", plain));
  if (!row.excludes.empty()) add("Not with " + joined(row.excludes, ", ", plain));
  if (text.back() != '.') text += ".";
  return text;
}

std::string option_paragraph(const OptionRow& row) {
  std::string tag = row.positional ? usage(row) : joined(row.names, ", ", bold);
  if (!row.positional && !row.value.empty()) tag += " " + italic(row.value);
  return tagged(tag, describe_row(row));
}

/// The options of `command` but `known` ones, group by group, in the order of --help.
std::string options_text(const CommandRow& command, const std::vector<OptionRow>& known) {
  std::string text;
  for (const OptionRow& row : command.positionals()) text += option_paragraph(row);
  std::vector<OptionRow> flags = command.flags();
  std::erase_if(flags, [&](const OptionRow& row) {
    return std::any_of(known.begin(), known.end(),
                       [&](const OptionRow& other) { return other.names == row.names && other.help == row.help; });
  });
  std::vector<std::string> groups;
  for (const OptionRow& row : flags)
    if (std::find(groups.begin(), groups.end(), row.group) == groups.end()) groups.push_back(row.group);
  for (const std::string& group : groups) {
    if (group != command.options[0].group) text += ".PP\n" + italic(group) + "\n";
    for (const OptionRow& row : flags)
      if (row.group == group) text += option_paragraph(row);
  }
  return text;
}

std::string heading(const OptionTable& table) {
  std::string summary = table.program.help;
  summary[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(summary[0])));
  if (summary.back() == '.') summary.pop_back();
  std::string text = fmt::format(
      ".\\\" Made by: charnn man\n.TH CHARNN 1 \"\" \"charnn {}\" \"User Commands\"\n.SH NAME\ncharnn \\- "
      "{}\n"
      ".SH SYNOPSIS\n",
      version, roff(summary));
  for (const CommandRow& command : table.commands)
    text += fmt::format("{}{} {}\n", &command == &table.commands.front() ? "" : ".br\n", bold("charnn " + command.name),
                        usage(command));
  return text + ".SH DESCRIPTION\n" + filled(table.program.help) + "\n" + R"(.PP
A run begins with a text in one or several files.
.B charnn init
looks at it and proposes a config, a JSON file with all that a training needs;
.B charnn train
trains a network by it and keeps the run in a folder;
.B charnn sample
writes new text with what has been learned.
A flag overrides the config, and the config overrides the defaults.
.PP
Results go to the standard output, all else to the standard error.
Nothing is overwritten unasked.
)";
}

std::string commands_text(const OptionTable& table) {
  std::string text = ".SH OPTIONS\n";
  if (table.flags_after_command) text += "These may stand before and after the command.\n";
  text += options_text(table.program, {}) + ".SH COMMANDS\n";
  for (const CommandRow& command : table.commands)
    text += fmt::format(".SS {} {}\n{}.\n{}", roff("charnn " + command.name), usage(command), roff(command.help),
                        options_text(command, table.program.flags()));
  return text;
}

std::string status_text() {
  const auto status = [](ExitCode code, const char* text) {
    return tagged(bold(std::to_string(static_cast<int>(code))), text);
  };
  return ".SH EXIT STATUS\n" + status(ExitCode::success, "Success.") +
         status(ExitCode::failure, "Something failed on the way: a full disk, too little memory.") +
         status(ExitCode::usage, "The command line, the config or the input is wrong.") +
         status(ExitCode::diverged, "The training diverged.") +
         tagged(bold("130") + ", " + bold("143"), "Stopped by SIGINT or SIGTERM, after saving.");
}

std::string files_text() {
  const auto file = [](const char* name, const char* text) { return tagged(italic(name), text); };
  return ".SH FILES\nA run is a folder, \\fIruns/NAME\\fR unless another is named. It holds\n" +
         file("config.json", "The config with all its values. It is by itself enough to repeat the run.") +
         file("last.safetensors", "The newest checkpoint: weights, optimizer and all that --resume needs.") +
         file("best.safetensors", "The checkpoint with the lowest validation loss.") +
         file("step-N.safetensors", "Checkpoints that stay, of --keep-every.") +
         file("text-index.safetensors", "What is known of the text, so that --resume need not read it all again.") +
         file("metrics.jsonl", "The course of the training, one JSON object a line.") +
         file("events.out.tfevents.*", "The same for TensorBoard.") + file("loss.svg", "The curves as a picture.") +
         file("train.log", "What was said while training.") +
         file(".lock", "Keeps a second training out while one goes on.");
}

constexpr const char* examples[][2] = {
    {"Propose a config for a text, and train by it:", "charnn init diary.txt\ncharnn train diary.json"},
    {"Write 2000 characters:", "charnn sample runs/diary --prompt 'Dear ' --length 2000"},
    {"Go on after an interruption, for longer:", "charnn train --resume --out runs/diary --epochs 20"},
    {"How well does it predict another text?", "charnn eval runs/diary --data letters.txt"},
    {"Completion for the bash that runs:", "source <(charnn completions bash)"},
    {"This page:", "charnn man > charnn.1 && man -l charnn.1"},
};

std::string man_page(const OptionTable& table) {
  std::string text =
      heading(table) + commands_text(table) + status_text() + ".SH ENVIRONMENT\n" +
      tagged(bold("NO_COLOR"), "If it is set and not empty, nothing is coloured (https://no-color.org).") +
      files_text() + ".SH EXAMPLES\n";
  for (const auto& [what, lines] : examples)
    text += fmt::format("{}{}\n.PP\n.nf\n.RS 4\n{}\n.RE\n.fi\n", &what == &examples[0][0] ? "" : ".PP\n", roff(what),
                        roff(lines));
  return text;
}
}  // namespace

void add_man_command(CLI::App& app, const Globals&, Action& action) {
  CLI::App* command = app.add_subcommand("man", "print the manual page (roff, for man -l)");
  on_chosen(command, action, [&app] {
    const Config defaults;
    write_stdout(man_page(option_table(app, describe_const(defaults))));
    return 0;
  });
}
}  // namespace charnn::cli
