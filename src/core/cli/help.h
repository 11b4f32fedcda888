#pragma once
#include <memory>

namespace CLI {
class App;
class FormatterBase;
class ParseError;
}  // namespace CLI

namespace charnn::cli {
/// Formats --help for the terminal's width: a command's own options and the common ones of the config; all of them with
/// --help-all.
std::shared_ptr<CLI::FormatterBase> help_formatter();

/// Throws Error (usage) that says what is wrong with a command line which `app` refused, and what was probably meant.
[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error);
}  // namespace charnn::cli
