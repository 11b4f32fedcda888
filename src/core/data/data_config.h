#pragma once
#include <array>
#include <string>
#include <vector>
#include "core/base/describe.h"

namespace charnn {
/// What one symbol of the text is.
enum class Tokens { chars, bytes };
inline constexpr std::array<const char*, 2> token_names{"chars", "bytes"};

struct DataConfig {
  std::vector<std::string> files;
  Tokens tokens = Tokens::chars;
  double val_fraction = 0.1;
  double test_fraction = 0.0;
  std::string document_separator;
};

Section describe(DataConfig& config);
}  // namespace charnn
