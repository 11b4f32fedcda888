#include "core/base/error.h"
#include <cerrno>
#include <system_error>
#include <fmt/format.h>

namespace charnn {
namespace {
std::string message(std::string_view found, std::string_view expected, std::string_view hint) {
  std::string text(found);
  if (!expected.empty()) text += fmt::format("\n  expected: {}", expected);
  if (!hint.empty()) text += fmt::format("\n  hint:     {}", hint);
  return text;
}
}  // namespace

Error::Error(ExitCode code, std::string_view found, std::string_view expected, std::string_view hint)
    : std::runtime_error(message(found, expected, hint)), code_(code) {}

void fail_input(std::string_view found, std::string_view expected, std::string_view hint) {
  throw Error(ExitCode::usage, found, expected, hint);
}

void fail_errno(std::string_view action, std::string_view hint) {
  const std::string reason = std::generic_category().message(errno);
  throw Error(ExitCode::failure, fmt::format("{}: {}", action, reason), "", hint);
}
}  // namespace charnn
