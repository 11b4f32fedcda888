#include "core/cli/help.h"
#include <filesystem>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/cli/config.h"

namespace charnn::cli {
namespace {
constexpr std::size_t name_column = 30;

std::string placeholder(const CLI::Option& option) {
  const std::string type = option.get_type_name();  // CLI11 appends its checks: "TEXT:{a,b}"
  const std::size_t colon = type.find(':');
  if (colon == std::string::npos || type[colon + 1] != '{') return type.substr(0, colon);
  std::string words = type.substr(colon + 2, type.size() - colon - 3);
  std::replace(words.begin(), words.end(), ',', '|');
  return words;
}

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string /*name*/) const override {
    std::string usage = "Usage: " + (app->get_parent() == nullptr ? "charnn COMMAND" : "charnn " + app->get_name());
    if (app->get_parent() == nullptr) return usage + " [OPTIONS]\n";
    for (const CLI::Option* option : app->get_options([](const CLI::Option* o) { return o->get_positional(); }))
      usage += option->get_required() ? " " + placeholder(*option) : " [" + placeholder(*option) + "]";
    return usage + " [OPTIONS]\n";
  }

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
    std::string text = wrapped(app->get_description(), columns_, 0) + "\n" + make_usage(app, name) + "\n";
    bool more = false;
    std::string group = "Options";
    for (const CLI::Option* option : app->get_options()) {
      if (mode == CLI::AppFormatMode::All && option->get_group() != group)
        text += fmt::format("\n{}\n", group = option->get_group());
      if (mode == CLI::AppFormatMode::All || is_shown(*app, *option))
        text += make_option(option, option->get_positional());
      else
        more = true;
    }
    if (more) text += fmt::format("\nAll options: charnn {} --help-all\n", app->get_name());
    text += make_subcommands(app, CLI::AppFormatMode::Normal);
    return text + (app->get_footer().empty() ? "" : "\n" + wrapped(app->get_footer(), columns_, 0) + "\n");
  }

  std::string make_option(const CLI::Option* option, bool positional) const override {
    std::string name = positional ? placeholder(*option) : option->get_name(false, true);
    if (!positional && option->get_items_expected_max() > 0) name += " " + placeholder(*option);
    std::string help = option->get_description();
    if (!option->get_default_str().empty()) help += fmt::format(" [default: {}]", option->get_default_str());
    return entry("  " + name, help);
  }

  std::string make_subcommand(const CLI::App* command) const override {
    return entry("  " + command->get_name(), command->get_description());
  }

 private:
  std::string entry(const std::string& name, const std::string& help) const {
    const bool long_name = name.size() + 2 > name_column;
    const std::string line =
        long_name ? std::string(name_column, ' ') + help : fmt::format("{:<{}}{}", name, name_column, help);
    return (long_name ? name + "\n" : "") + wrapped(line, columns_, name_column) + "\n";
  }

  /// Options of the config are shown if they are common; those of writing, only where text is written.
  static bool is_shown(const CLI::App& app, const CLI::Option& option) {
    const Config defaults;
    for (const Section& section : describe_const(defaults))
      for (const Field& field : section.fields)
        if (option.get_group() == section.help && option.check_lname(field.flag))
          return field.common && (section.name != "sample" || app.get_name() != "train");
    return true;
  }

  std::size_t columns_ = std::clamp<std::size_t>(terminal_columns(STDOUT_FILENO).value_or(80), 50, 120);
};

/// An option that `word` (with dashes) may mean, by its name or by words of its description ("learning rate").
std::string option_like(const CLI::App& command, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent())
    for (const CLI::Option* option : app->get_options())
      for (const std::string& name : CLI::detail::split(option->get_name(false, true), ','))
        if (name.starts_with("--")) names.push_back(name);
  const std::string typed = word.substr(0, word.find('='));
  if (std::string name = nearest(typed, names); !name.empty()) return name;
  std::string words = typed.substr(std::min(typed.find_first_not_of('-'), typed.size()));
  const auto is_space = [](char c) { return c == '-' || c == '_' || c == ' '; };
  std::erase_if(words, is_space);
  for (const CLI::Option* option : command.get_options()) {
    std::string help = option->get_description();
    std::erase_if(help, is_space);
    if (words.size() >= 4 && help.starts_with(words)) return option->get_name();
  }
  return "";
}

/// Says in charnn's words what CLI11 found wrong with an option's value.
void refuse_value(const CLI::App& command, const CLI::ParseError& error) {
  const std::string what = error.what(), help = fmt::format("see charnn {} --help", command.get_name());
  const std::string name = what.substr(0, what.find(": "));
  if (const auto in = what.find(" not in {"); in != std::string::npos) {  // "--unknown: skipp not in {error,skip}"
    const auto words = CLI::detail::split(what.substr(in + 9, what.size() - in - 10), ',');
    const std::string typed = what.substr(name.size() + 2, in - name.size() - 2);
    fail_input(fmt::format("{} {}", name, typed), fmt::format("one of {}", fmt::join(words, ", ")),
               did_you_mean(nearest(typed, words)));
  }
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError))
    for (const CLI::Option* option : command.get_options())
      if (option->get_required() && option->count() == 0)
        fail_input(fmt::format("charnn {} without {}", command.get_name(),
                               option->get_positional() ? placeholder(*option) : option->get_name()),
                   option->get_description(), help);
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ArgumentMismatch))
    fail_input(name + " without a value", "", help);
  fail_input(what, "", help);
}
}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() { return std::make_shared<HelpFormatter>(); }

void refuse(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  const std::vector<std::string> rest = app.remaining(/*recurse=*/true);
  const auto flag = std::find_if(rest.begin(), rest.end(), [](const auto& word) { return word.starts_with('-'); });
  if (chosen.empty() && !rest.empty() && flag != rest.begin()) {
    std::vector<std::string> commands;
    for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
    const bool is_file = std::filesystem::exists(rest[0]);
    fail_input(
        fmt::format("unknown command \"{}\"", rest[0]), fmt::format("one of {}", fmt::join(commands, ", ")),
        is_file ? fmt::format("to train on it: charnn train {}", rest[0]) : did_you_mean(nearest(rest[0], commands)));
  }
  if (chosen.empty() && flag != rest.end())
    fail_input("unknown option " + *flag, "a command, or --help", did_you_mean(option_like(app, *flag)));
  if (chosen.empty()) fail_input(error.what(), "a command", "charnn --help lists them");
  const CLI::App& command = *chosen.front();
  const std::string help = fmt::format("charnn {} --help-all lists all options", command.get_name());
  if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::ExtrasError)) refuse_value(command, error);
  if (flag == rest.end()) {
    const bool prompt = command.get_option_no_throw("--prompt") != nullptr;
    fail_input(fmt::format("unexpected argument \"{}\"", rest[0]), "",
               prompt ? fmt::format("for a text to continue: --prompt \"{}\"", rest[0]) : help);
  }
  const std::string meant = option_like(command, *flag);
  fail_input(fmt::format("unknown option {}", *flag), "",
             meant.empty() ? help : fmt::format("did you mean {}?", meant));
}
}  // namespace charnn::cli
