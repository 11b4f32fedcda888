#pragma once
#include <string>
#include <string_view>

namespace charnn {
/// What a file is instead of what it was taken for, and what to do with it. Both may be empty.
struct FileKind {
  std::string name, cure;
};

/// Judged by its first bytes, some hundred of them.
FileKind kind_of_file(std::string_view begin, const std::string& path);
}  // namespace charnn
