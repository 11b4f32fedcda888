// A checkpoint, in one of two forms. An input that begins with '{' has three lines of JSON, the vocabulary,
// the progress and the tensors' header, and then the tensors' bytes: a checkpoint is made of them. (The
// first byte of a file is the low one of a length that is a multiple of 8, never '{'.) Any other input is a
// file as it is, and once more with its checksum corrected.
#include "charnn/io/checkpoint.h"

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "charnn/base/files.h"
#include "tests/fuzz/support.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace charnn;

namespace {

/// With the checksum that the rest asks for, where there is a place for one.
std::string with_checksum(std::string file) {
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
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string composed(std::string_view input) {
  std::array<std::string_view, 3> lines;
  for (std::string_view& line : lines) {
    line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
  }
  const auto& [vocabulary, progress, tensors] = lines;
  std::string header =
      R"({"__metadata__":{"checksum":"0000000000000000","format":"charnn-checkpoint-1","config":"{}","vocab":)" +
      quoted(vocabulary) + ",\"train_state\":" + quoted(progress) + '}';
  if (tensors.size() > 2) header += ',';
  header += tensors.substr(std::min<std::size_t>(tensors.size(), 1));
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return with_checksum(file + header + std::string(input));
}

void check(std::string_view bytes) {
  static fuzz::MemoryFile file;
  static const fuzz::Folder folder;
  static const std::string path = folder / "checkpoint";
  std::optional<Checkpoint> checkpoint;
  if (!fuzz::accepts([&] { checkpoint = load_checkpoint(file.holding(bytes)); })) return;
  if (!checkpoint->state.h.defined()) return;
  save_checkpoint(path, *checkpoint);
  const std::string once = read_file(path, "checkpoint");
  save_checkpoint(path, load_checkpoint(path));
  fuzz::require(read_file(path, "checkpoint") == once, "what was read comes back the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of(data, size);
  if (!input.empty() && input.front() == '{') {
    check(composed(input));
    return 0;
  }
  check(input);
  if (const std::string corrected = with_checksum(std::string(input)); corrected != input) check(corrected);
  return 0;
}
