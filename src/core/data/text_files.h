#pragma once
#include <string>
#include <vector>
#include "core/data/vocabulary.h"

namespace charnn {
/// What data.files stands for.
struct TextFiles {
  std::vector<std::string> paths;
  std::string note;  ///< which files were left out; may be empty
};

/// A folder stands for all text files in it and below, in the order of their paths; `src/*.py` for what matches;
/// `@LIST` for the files named in LIST, one a line; `-` for stdin. Hidden files, and with chars binary ones, are left
/// out unless named themselves. Throws Error (usage) if one of them stands for no file.
TextFiles find_text_files(const std::vector<std::string>& given, Tokens tokens);
}  // namespace charnn
