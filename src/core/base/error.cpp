#include "core/base/error.h"
#include <cerrno>
#include <system_error>
#include <fmt/format.h>

namespace charnn {
namespace {
std::string message(std::string_view found, std::string_view expected, std::string_view cure) {
  std::string text(found);
  if (!expected.empty()) text += fmt::format("\n  expected: {}", expected);
  if (!cure.empty()) text += fmt::format("\n  cure:     {}", cure);
  return text;
}
}  // namespace

Error::Error(ExitCode code, std::string_view found, std::string_view expected, std::string_view cure)
    : std::runtime_error(message(found, expected, cure)), code_(code) {}

void fail_input(std::string_view found, std::string_view expected, std::string_view cure) {
  throw Error(ExitCode::usage, found, expected, cure);
}

void fail_errno(std::string_view action, std::string_view cure) {
  const std::string reason = std::generic_category().message(errno);
  throw Error(ExitCode::failure, fmt::format("{}: {}", action, reason), "", cure);
}
}  // namespace charnn
