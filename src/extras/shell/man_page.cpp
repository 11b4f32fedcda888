#include <map>
#include <fmt/format.h>
#include "core/base/version.h"
#include "extras/shell/shell.h"

namespace charnn::cli {
namespace {
/// Escapes `text` so that roff prints it unchanged anywhere: unescaped quotes and signs would become typographic.
std::string roff(const std::string& text) {
  static const std::map<char, const char*> escapes{{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"},
                                                   {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"}};
  std::string result;
  for (const char c : text) {
    const auto escape = escapes.find(c);
    if ((c == '.' || c == '\'') && (result.empty() || result.back() == '\n')) result += "\\&";
    result += escape == escapes.end() ? std::string(1, c) : escape->second;
  }
  return result;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }

/// A paragraph with a hanging tag. The tag is roff already.
std::string tagged(const std::string& tag, const std::string& text) { return ".TP\n" + tag + "\n" + roff(text) + "\n"; }

/// A positional as it follows the command's name: [CONFIG.json], RUN...
std::string usage(const OptionRow& positional) {
  const std::string text = italic(positional.value);
  return positional.required ? text : "[" + text + "]";
}

std::string usage(const CommandRow& command) {
  std::string text = "[" + italic("OPTION") + "]...";
  for (const OptionRow& row : command.positionals) text += " " + usage(row);
  return text;
}

std::string option_paragraph(const OptionRow& row) {
  std::string tag = row.positional ? usage(row) : joined(row.names, ", ", bold);
  if (!row.positional && !row.value.empty()) tag += " " + italic(row.value);
  std::string text = row.help;
  const auto add = [&](bool applies, const std::string& sentence) {
    if (applies) text += (text.ends_with('.') ? "\n" : ".\n") + sentence;
  };
  add(row.offer == Offer::values, fmt::format("One of {}", fmt::join(row.values, ", ")));
  add(!row.limits.empty(), "Allowed: " + row.limits);
  add(!row.default_text.empty(), "Default: " + row.default_text);
  add(row.repeats && !row.positional, "May be given several times");
  add(!row.needs.empty(), fmt::format("Only with {}", fmt::join(row.needs, ", ")));
  add(!row.excludes.empty(), fmt::format("Not with {}", fmt::join(row.excludes, ", ")));
  return tagged(tag, text + (text.ends_with('.') ? "" : "."));
}

/// The positionals, then the flags, group by group.
std::string options_text(const CommandRow& command) {
  std::string text, group;
  for (const OptionRow& row : command.positionals) text += option_paragraph(row);
  for (const OptionRow& row : command.flags) {
    if (row.group != group) text += ".PP\n" + italic(row.group) + "\n";
    group = row.group;
    text += option_paragraph(row);
  }
  return text;
}

constexpr const char* description = R"(.PP
A run starts from one or several text files.
\fBcharnn init\fR looks at them and proposes a config, a JSON file with all settings of the training;
\fBcharnn train\fR trains a network with it and keeps the run in a folder;
\fBcharnn sample\fR writes new text with the trained network.
A flag overrides the config, and the config overrides the defaults.
.PP
Results go to standard output, everything else to standard error.
Existing files are not overwritten unless you ask for it.
.SH OPTIONS
These may stand before or after the command.
)";

constexpr const char* files[][2] = {
    {"config.json", "The config with all its values; enough to repeat the run."},
    {"last.safetensors", "The newest checkpoint: weights, optimizer and everything else that --resume needs."},
    {"best.safetensors", "The checkpoint with the lowest validation loss."},
    {"step-N.safetensors", "Checkpoints kept by --keep-every."},
    {"metrics.jsonl", "Metrics recorded during training, one JSON object per line."},
    {"events.out.tfevents.*", "The same metrics for TensorBoard."},
    {"loss.svg", "The curves as a picture."},
    {"train.log", "The messages of the training."},
    {".lock", "Locked while a training runs, so that no second one starts in the same folder."},
};

constexpr const char* examples[][2] = {
    {"Propose a config for a text, and train with it:", "charnn init diary.txt\ncharnn train diary.json"},
    {"Write 2000 characters:", "charnn sample runs/diary --prompt 'Dear ' --length 2000"},
    {"Resume after an interruption, and train for longer:", "charnn train --resume --out runs/diary --epochs 20"},
    {"How well does it predict another text?", "charnn eval runs/diary --data letters.txt"},
    {"Completion in the running bash:", "source <(charnn completions bash)"},
    {"This page:", "charnn man > charnn.1 && man -l charnn.1"},
};

constexpr const char* statuses[][2] = {
    {"0", "Success."},
    {"1", "Something failed while running: disk full, out of memory."},
    {"2", "The command line, the config or the input is wrong."},
    {"3", "The training diverged."},
    {"130, 143", "Stopped by SIGINT or SIGTERM, after saving."},
};
}  // namespace

std::string man_page(const OptionTable& table) {
  std::string text = fmt::format(
      ".\\\" Generated by: charnn man\n.TH CHARNN 1 \"\" \"charnn {}\" \"User Commands\"\n"
      ".SH NAME\ncharnn \\- train character\\-level recurrent networks, and write text with them\n.SH SYNOPSIS\n",
      version);
  text += joined(table.commands, ".br\n", [](const CommandRow& command) {
    return fmt::format("{} {}\n", bold("charnn " + command.name), usage(command));
  });
  text += fmt::format(".SH DESCRIPTION\n{}\n{}{}.SH COMMANDS\n", roff(table.program.help), description,
                      options_text(table.program));
  for (const CommandRow& command : table.commands)
    text += fmt::format(".SS {} {}\n{}.\n{}", roff("charnn " + command.name), usage(command), roff(command.help),
                        options_text(command));
  text += ".SH EXIT STATUS\n";
  for (const auto& [status, meaning] : statuses) text += tagged(bold(status), meaning);
  text += ".SH ENVIRONMENT\n" + tagged(bold("NO_COLOR"), "If set and not empty: no colours (https://no-color.org).");
  text += ".SH FILES\nA run is a folder, \\fIruns/NAME\\fR by default. It contains\n";
  for (const auto& [name, content] : files) text += tagged(italic(name), content);
  return text + ".SH EXAMPLES\n" + joined(examples, ".PP\n", [](const auto& example) {
           return fmt::format("{}\n.PP\n.nf\n.RS 4\n{}\n.RE\n.fi\n", roff(example[0]), roff(example[1]));
         });
}
}  // namespace charnn::cli
