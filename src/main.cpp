#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include "core/base/error.h"
#include "core/base/terminal.h"
#include "core/cli/extras.h"

namespace {
int report(const std::string& message, charnn::ExitCode code = charnn::ExitCode::failure) {
  std::fprintf(stderr, "charnn: %s\n", charnn::safe_for_terminal(message).c_str());
  return static_cast<int>(code);
}
}  // namespace

int main(int argc, char** argv) {
  try {
    return charnn::cli::run(argc, argv, charnn::cli::all_extras());
  } catch (const charnn::Error& error) {
    return report(error.what(), error.code());
  } catch (const std::bad_alloc&) {
    return report("out of memory\n  hint:     a smaller --hidden, --batch-size or --sequence-length");
  } catch (const std::exception& error) {
    const std::string message = error.what();
    return report(message.substr(0, message.find("\nException raised from")));  // without LibTorch's C++ backtrace
  }
}
