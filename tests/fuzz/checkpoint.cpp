// A checkpoint, in one of two forms. An input that begins with '{' has four lines of JSON, the config, the vocabulary,
// the progress and the tensors' header, and then the tensors' bytes: a checkpoint is made of them. (The first byte of a
// file is the low one of a length that is a multiple of 8, never '{'.) Any other input is a file as it is, and once
// more with its checksum corrected.
#include "core/io/checkpoint.h"
#include "core/base/files.h"
#include "tests/fuzz/compose.h"

using namespace charnn;

namespace {

std::string composed(std::string_view input) {
  const std::string_view config = fuzz::take_line(input), vocabulary = fuzz::take_line(input),
                         progress = fuzz::take_line(input);
  return fuzz::composed(R"("format":"charnn-checkpoint-1","config":)" + fuzz::quoted(config) +
                            ",\"vocab\":" + fuzz::quoted(vocabulary) + ",\"train_state\":" + fuzz::quoted(progress),
                        input);
}

void check(std::string_view bytes) {
  static fuzz::MemoryFile file;
  static const fuzz::Folder folder;
  static const std::string path = folder / "checkpoint";
  std::optional<Checkpoint> checkpoint;
  if (!fuzz::accepts([&] { checkpoint = load_checkpoint(file.holding(bytes)); })) return;
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
  if (const std::string corrected = fuzz::with_checksum(std::string(input)); corrected != input) check(corrected);
  return 0;
}
