#include "core/base/file_kind.h"
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include "core/base/utf8.h"

namespace charnn {
namespace {
struct Magic {
  std::string_view bytes;
  const char *name, *cure;  ///< {0}: the path
};
constexpr Magic magics[] = {
    {"\x1f\x8b", "compressed by gzip", "unpack it first: gunzip -k {0}"},
    {"\xfd\x37zXZ", "compressed by xz", "unpack it first: unxz -k {0}"},
    {"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it first: unzstd {0}"},
    {"BZh", "compressed by bzip2", "unpack it first: bunzip2 -k {0}"},
    {"PK\x03\x04", "a zip archive, which torch.save writes too",
     "unpack an archive first; a state_dict becomes readable in Python by\n"
     "            import torch, safetensors.torch\n"
     "            safetensors.torch.save_file(torch.load(\"{0}\", map_location=\"cpu\"), \"{0}.safetensors\")"},
    {"\x80", "a Python pickle",
     "of nanoGPT's meta.pkl, in Python:\n            import json, pickle\n"
     "            json.dump(pickle.load(open(\"{0}\", \"rb\"))[\"stoi\"], open(\"vocabulary.json\", \"w\"))"},
    {"%PDF", "a PDF", "extract its text first: pdftotext {0}"},
    {"\x7f"
     "ELF",
     "a program", "name a text"},
    {"\xff\xfe", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 {0} > NEW.txt"},
    {"\xfe\xff", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 {0} > NEW.txt"},
};

/// Without a mark at its beginning: mostly Latin letters, so that every second byte is 0. Returns iconv's name, or "".
const char* utf16_without_mark(std::string_view begin) {
  std::size_t zeros[2] = {};
  for (std::size_t i = 0; i < begin.size(); ++i) zeros[i % 2] += begin[i] == '\0' ? 1 : 0;
  const std::size_t many = begin.size() * 2 / 5;
  if (begin.size() < 16 || (zeros[0] > many) == (zeros[1] > many)) return "";
  return zeros[1] > many ? "UTF-16LE" : "UTF-16BE";
}
}  // namespace

FileKind kind_of_file(std::string_view begin, const std::string& path) {
  if (begin.size() > 10 && begin[8] == '{' && begin[9] == '"' && begin[7] == '\0')
    return {"a safetensors file, such as a trained network", fmt::format("to write with it: charnn sample {}", path)};
  for (const Magic& magic : magics)
    if (begin.starts_with(magic.bytes)) return {magic.name, fmt::format(fmt::runtime(magic.cure), path)};
  if (const std::string encoding = utf16_without_mark(begin); !encoding.empty())
    return {"UTF-16 text without a mark at its beginning",
            fmt::format("convert it: iconv -f {} -t UTF-8 {} > NEW.txt", encoding, path)};
  const bool text = !find_invalid_utf8(begin.substr(0, begin.size() - unfinished_utf8(begin)));
  if (begin.find('\0') != std::string_view::npos) return text ? FileKind{} : FileKind{"a binary file", ""};
  const auto folder = std::filesystem::path(path).parent_path();
  if (std::error_code none; text && std::filesystem::exists(folder / "last.safetensors", none))
    return {"a text", fmt::format("to use the run that it belongs to: {}", folder.string())};
  return text && !begin.empty() ? FileKind{"a text", fmt::format("to train on it: charnn train {}", path)} : FileKind{};
}
}  // namespace charnn
