#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/cli/extras.h"

namespace {
constexpr const char* out_of_memory =
    "out of memory\n  hint:     a smaller --hidden, --batch-size or --sequence-length";

int report(const std::string& message, charnn::ExitCode code = charnn::ExitCode::failure) {
  std::string text = "charnn: " + charnn::safe_for_terminal(message);
  if (const auto columns = charnn::terminal_columns(2)) text = charnn::wrapped(text, *columns, 12);
  std::fprintf(stderr, "%s\n", text.c_str());
  return static_cast<int>(code);
}
}  // namespace

int main(int argc, char** argv) {
  try {
    return charnn::cli::run(argc, argv, charnn::cli::all_extras());
  } catch (const charnn::Error& error) {
    return report(error.what(), error.code());
  } catch (const std::bad_alloc&) {
    return report(out_of_memory);
  } catch (const std::exception& error) {
    const std::string message = error.what();
    if (message.find("can't allocate memory") != std::string::npos) return report(out_of_memory);
    return report(message.substr(0, message.find("\nException raised from")));  // without LibTorch's C++ backtrace
  }
}
