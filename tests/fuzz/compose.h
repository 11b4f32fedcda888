#pragma once

// Safetensors files made of parts, so that what a fuzzer changes gets behind length and checksum.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <fmt/format.h>
#include "tests/fuzz/support.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace charnn::fuzz {

/// With the checksum that the rest asks for, where there is a place for one.
inline std::string with_checksum(std::string file) {
  constexpr std::string_view key = "\"checksum\":\"";
  constexpr std::size_t digits = 16;
  std::uint64_t length = 0;
  if (file.size() < sizeof length) return file;
  std::memcpy(&length, file.data(), sizeof length);
  if (length > file.size() - sizeof length) return file;
  const std::size_t end = sizeof length + static_cast<std::size_t>(length);
  const std::size_t at = file.find(key, sizeof length);
  if (at == std::string::npos || at + key.size() + digits > end) return file;
  file.replace(at + key.size(), digits, digits, '0');
  const std::uint64_t seed = XXH3_64bits(file.data() + sizeof length, static_cast<std::size_t>(length));
  const std::uint64_t hash = XXH3_64bits_withSeed(file.data() + end, file.size() - end, seed);
  return file.replace(at + key.size(), digits, fmt::format("{:016x}", hash));
}

/// As a JSON text; unlike a library's, it lets invalid UTF-8 through.
inline std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

inline std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

/// A file with these entries of metadata. `rest`: a line with the tensors' header, a JSON object, then their bytes.
inline std::string composed(std::string_view metadata, std::string_view rest) {
  const std::string_view tensors = take_line(rest);
  std::string header = R"({"__metadata__":{"checksum":"0000000000000000",)" + std::string(metadata) + '}';
  if (tensors.size() > 2) header += ',';
  header += tensors.substr(std::min<std::size_t>(tensors.size(), 1));
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return with_checksum(file + header + std::string(rest));
}

}  // namespace charnn::fuzz
