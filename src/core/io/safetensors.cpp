#include "core/io/safetensors.h"
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>
#include <stdexcept>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/file_kind.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/io/json_config.h"

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

namespace charnn {
namespace {
using nlohmann::json;

constexpr std::uint64_t max_header = 100'000'000;  // the format's own limit
constexpr std::string_view blank_checksum = "0000000000000000";
constexpr std::string_view checksum_key = "\"checksum\":\"";

/// Names and sizes in bytes, in the order of Dtype.
constexpr std::array<std::pair<const char*, std::uint64_t>, 4> dtypes{{{"F32", 4}, {"F64", 8}, {"I64", 8}, {"U8", 1}}};

/// Of the tensors' bytes, seeded with the hash of the header that has a blank checksum.
std::string checksum_text(const Hash64& hash) { return fmt::format("{:016x}", hash.value()); }

[[noreturn]] void refuse(const std::string& what, const std::string& found, const std::string& expected) {
  fail_input(fmt::format("{}: {}", what, found), expected,
             "the file is damaged or of another kind; use another checkpoint");
}

/// A tensor without its bytes, which lie at [begin, end) after the header.
struct Entry {
  Tensor tensor;
  std::uint64_t begin = 0, end = 0;
};

Entry parse_entry(const std::string& name, const json& value, const std::string& what) {
  const std::string place = fmt::format("{}: tensor {}", what, json(name).dump(-1, ' ', true));
  Entry entry;
  entry.tensor.name = name;
  const auto member = [&](const char* key) -> const json& {
    if (!value.is_object() || !value.contains(key))
      refuse(place, fmt::format("no \"{}\"", key), "dtype, shape, data_offsets");
    return value.at(key);
  };
  const json& dtype = member("dtype");
  if (dtype == "F16" || dtype == "BF16")
    fail_input(fmt::format("{}: dtype {}", place, dtype.get<std::string>()), "F32 or F64",
               "convert it in Python: save_file({k: v.float() for k, v in load_file(FILE).items()}, NEW)");
  const auto known = std::find_if(dtypes.begin(), dtypes.end(), [&](const auto& info) { return dtype == info.first; });
  if (known == dtypes.end()) refuse(place, "dtype " + dtype.dump(-1, ' ', true), "F32, F64, I64 or U8");
  entry.tensor.dtype = static_cast<Dtype>(known - dtypes.begin());
  const auto number = [&](const json& item) {
    if (!item.is_number_unsigned())
      refuse(place, "a size or offset is not a non-negative integer", "non-negative integers");
    return item.get<std::uint64_t>();
  };
  const json& shape = member("shape");
  const json& offsets = member("data_offsets");
  if (!shape.is_array() || shape.size() > 8 || !offsets.is_array() || offsets.size() != 2)
    refuse(place, "malformed shape or data_offsets", "a shape of at most 8 sizes, two offsets");
  std::uint64_t bytes = known->second;
  std::uint64_t span = bytes;  // the same without sizes of 0: strides are products of the other sizes
  for (const json& item : shape) {
    const std::uint64_t size = number(item), factor = std::max<std::uint64_t>(size, 1);
    if (span > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor)
      refuse(place, "the shape's product overflows", "a tensor that fits in memory");
    bytes *= size;
    span *= factor;
    entry.tensor.shape.push_back(static_cast<std::int64_t>(size));
  }
  entry.begin = number(offsets[0]);
  entry.end = number(offsets[1]);
  if (entry.end < entry.begin || entry.end - entry.begin != bytes)
    refuse(place, fmt::format("data_offsets [{}, {}]", entry.begin, entry.end),
           fmt::format("{} bytes, by dtype and shape", bytes));
  return entry;
}

/// The tensors in the order of their bytes, which must fill `data_bytes` without gaps or overlaps.
std::vector<Entry> parse_entries(const json& header, std::uint64_t data_bytes, const std::string& what) {
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items())
    if (name != "__metadata__") entries.push_back(parse_entry(name, value, what));
  std::ranges::sort(entries, {}, [](const Entry& entry) { return std::pair(entry.begin, entry.end); });
  std::uint64_t expected = 0;
  for (const auto& [tensor, begin, end] : entries) {
    if (begin != expected || end > data_bytes)
      refuse(what, fmt::format("tensor {}: bytes {} to {}", json(tensor.name).dump(-1, ' ', true), begin, end),
             fmt::format("bytes from {} on, up to {} at most", expected, data_bytes));
    expected = end;
  }
  if (expected != data_bytes)
    refuse(what, fmt::format("{} bytes after the last tensor", data_bytes - expected), "none");
  return entries;
}

/// Seeds the checksum of the data: the hash of the header with a blank checksum.
std::uint64_t hash_of_header(std::string text, const std::string& checksum, const std::string& what) {
  const auto at = text.find(checksum_key);
  if (checksum.size() != blank_checksum.size() || at == std::string::npos)
    refuse(what, "malformed checksum", "16 hexadecimal digits");
  return hash64(text.replace(at + checksum_key.size(), blank_checksum.size(), blank_checksum));
}

/// `read` fills `out` with the bytes from `offset` on, always within the file's `size` bytes.
SafeTensors decode(std::uint64_t size, const std::function<void(std::uint64_t offset, std::span<char> out)>& read,
                   const std::string& what) {
  std::uint64_t length = 0;
  if (size < sizeof length) refuse(what, fmt::format("{} bytes long", size), "a safetensors file");
  read(0, {reinterpret_cast<char*>(&length), sizeof length});
  const std::uint64_t data_begin = sizeof length + length;
  if (length > max_header || data_begin > size)
    refuse(what, fmt::format("header length {} in a file of {} bytes", length, size), "a safetensors file");
  std::string text(length, '\0');
  read(sizeof length, text);
  SafeTensors file;
  json header;
  try {
    header = parse_strict(text);
    file.metadata = header.value("__metadata__", json::object()).get<std::map<std::string, std::string>>();
  } catch (const std::invalid_argument& error) {
    refuse(what, fmt::format("the header is {}", error.what()), "a safetensors file");
  } catch (const json::exception&) {
    refuse(what, "the header is not a JSON object, or its metadata are not strings", "a safetensors file");
  }

  const std::string* checksum = file.find_metadata("checksum");
  Hash64 hash(checksum != nullptr ? hash_of_header(std::move(text), *checksum, what) : 0);
  for (auto& [tensor, begin, end] : parse_entries(header, size - data_begin, what)) {
    tensor.bytes.resize(end - begin);
    if (!tensor.bytes.empty()) read(data_begin + begin, tensor.bytes);
    hash.add(tensor.bytes);
    file.tensors.push_back(std::move(tensor));
  }
  if (checksum != nullptr && checksum_text(hash) != *checksum)
    refuse(what, fmt::format("checksum {}", checksum_text(hash)),
           fmt::format("checksum {}, as stored in the file", *checksum));
  return file;
}
}  // namespace

std::vector<float> Tensor::floats() const {
  if (dtype == Dtype::f32) {
    std::vector<float> values(bytes.size() / sizeof(float));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  std::vector<double> values(bytes.size() / sizeof(double));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return {values.begin(), values.end()};
}

std::string bytes_of(std::span<const float> values) {
  return {static_cast<const char*>(static_cast<const void*>(values.data())), values.size_bytes()};
}

const std::string* SafeTensors::find_metadata(const std::string& key) const {
  const auto at = metadata.find(key);
  return at == metadata.end() ? nullptr : &at->second;
}

const Tensor* SafeTensors::find(const std::string& name) const {
  const auto at = std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& t) { return t.name == name; });
  return at == tensors.end() ? nullptr : &*at;
}

std::string encode_safetensors(const std::vector<Tensor>& tensors,
                               const std::vector<std::pair<std::string, std::string>>& metadata) {
  nlohmann::ordered_json header;
  // First, so that the first match of checksum_key in the header is the entry itself.
  header["__metadata__"]["checksum"] = blank_checksum;
  for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  std::string data;
  for (const Tensor& tensor : tensors) {
    const std::size_t begin = data.size();
    data += tensor.bytes;
    header[tensor.name] = {{"dtype", dtypes[static_cast<std::size_t>(tensor.dtype)].first},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins at a multiple of 8, as in the format's own writer
  Hash64 hash(hash64(text));
  hash.add(data);
  const std::string checksum = checksum_text(hash);
  text.replace(text.find(checksum_key) + checksum_key.size(), checksum.size(), checksum);
  const std::uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text + data;
}

SafeTensors decode_safetensors(std::string_view bytes, const std::string& what) {
  return decode(
      bytes.size(), [&](auto offset, auto out) { bytes.copy(out.data(), out.size(), offset); }, what);
}

SafeTensors read_safetensors(const std::string& path, const std::string& kind) {
  const InputFile file(path, kind);
  std::string begin(std::min<std::size_t>(file.size(), 512), '\0');
  file.read(0, begin);
  if (begin.size() > 8 && begin[8] != '{')
    if (const auto [name, cure] = kind_of_file(begin, path); !cure.empty())
      fail_input(fmt::format("{} {} is {}", kind, path, name), "a safetensors file", cure);
  return decode(
      file.size(), [&](auto offset, auto out) { file.read(offset, out); }, kind + " " + path);
}
}  // namespace charnn
