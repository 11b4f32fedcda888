#include "core/io/safetensors.h"
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <stdexcept>
#include <tuple>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/io/strict_json.h"

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

namespace charnn {
namespace {
using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t max_header = 100'000'000;  // the format's own limit
constexpr std::string_view blank_checksum = "0000000000000000";
constexpr std::string_view checksum_key = "\"checksum\":\"";

struct DtypeInfo {
  const char* name;
  std::uint64_t size;
};
/// In the order of Dtype.
constexpr std::array<DtypeInfo, 4> dtypes{{{"F32", 4}, {"F64", 8}, {"I64", 8}, {"U8", 1}}};

/// Of the tensors' bytes in their order, seeded with the hash of the header, the checksum's digits in it as zeros.
std::string checksum_text(const Hash64& hash) { return fmt::format("{:016x}", hash.value()); }

[[noreturn]] void refuse(const std::string& what, const std::string& found, const std::string& expected) {
  fail_input(fmt::format("{}: {}", what, found), expected,
             "the file is damaged or of another kind; use another checkpoint");
}

json parse_object(std::string_view text, const std::string& what) {
  try {
    json header = parse_strict(text);
    if (header.is_object()) return header;
  } catch (const std::invalid_argument& error) {
    refuse(what, fmt::format("the header is {}", error.what()), "a safetensors file");
  }
  refuse(what, "the header is not a JSON object", "a safetensors file");
}

struct Entry {
  Tensor tensor;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
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
  const auto known =
      std::find_if(dtypes.begin(), dtypes.end(), [&](const DtypeInfo& info) { return dtype == info.name; });
  if (dtype == "F16" || dtype == "BF16")
    fail_input(fmt::format("{}: dtype {}", place, dtype.get<std::string>()), "F32 or F64",
               "convert it in Python: save_file({k: v.float() for k, v in load_file(FILE).items()}, NEW)");
  if (known == dtypes.end()) refuse(place, "dtype " + dtype.dump(-1, ' ', true), "F32, F64, I64 or U8");
  entry.tensor.dtype = static_cast<Dtype>(known - dtypes.begin());
  const auto number = [&](const json& item) {
    if (!item.is_number_unsigned()) refuse(place, "a size or offset that is not a whole number", "whole numbers");
    return item.get<std::uint64_t>();
  };
  const json& shape = member("shape");
  const json& offsets = member("data_offsets");
  if (!shape.is_array() || shape.size() > 8 || !offsets.is_array() || offsets.size() != 2)
    refuse(place, "shape or data_offsets has another form", "shape of at most 8 sizes, two offsets");
  std::uint64_t bytes = known->size;
  std::uint64_t span = bytes;  // the same, but for sizes of 0: strides are made from the others
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
           fmt::format("{} bytes, as dtype and shape say", bytes));
  return entry;
}

/// What the header says.
struct Header {
  std::string text;
  std::map<std::string, std::string> metadata;
  std::vector<Entry> entries;  ///< in the order of their bytes
};

/// `data_bytes`: what follows the header in the file.
Header parse_header(std::string text, std::uint64_t data_bytes, const std::string& what) {
  Header header;
  const json object = parse_object(text, what);
  for (const auto& [name, value] : object.items()) {
    if (name != "__metadata__") {
      header.entries.push_back(parse_entry(name, value, what));
      continue;
    }
    if (!value.is_object()) refuse(what, "__metadata__ is not an object", "an object of texts");
    for (const auto& [key, item] : value.items()) {
      if (!item.is_string()) refuse(what, fmt::format("metadata \"{}\" is not a text", key), "a text");
      header.metadata[key] = item.get<std::string>();
    }
  }
  // In order of their bytes, each tensor begins where the one before ended: no overlap, no gap, nothing left over.
  std::sort(header.entries.begin(), header.entries.end(),
            [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  std::uint64_t expected = 0;
  for (const Entry& entry : header.entries) {
    if (entry.begin != expected || entry.end > data_bytes)
      refuse(
          what,
          fmt::format("tensor {}: bytes {} to {}", json(entry.tensor.name).dump(-1, ' ', true), entry.begin, entry.end),
          fmt::format("bytes from {} on, up to {} at most", expected, data_bytes));
    expected = entry.end;
  }
  if (expected != data_bytes)
    refuse(what, fmt::format("{} bytes after the last tensor", data_bytes - expected), "none");
  header.text = std::move(text);
  return header;
}

/// The header's text as the checksum takes it, with zeros for its own digits.
std::string blank_out(std::string text, const std::string& checksum, const std::string& what) {
  const auto at = text.find(checksum_key);
  if (checksum.size() != blank_checksum.size() || at == std::string::npos)
    refuse(what, "the checksum has another form", "16 hexadecimal digits");
  return text.replace(at + checksum_key.size(), blank_checksum.size(), blank_checksum);
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

std::string encode_safetensors(const std::vector<Tensor>& tensors, Metadata metadata) {
  ordered_json header;
  // First, so that the first match of checksum_key in the header is the entry itself.
  header["__metadata__"]["checksum"] = blank_checksum;
  for (auto& [key, value] : metadata) header["__metadata__"][key] = std::move(value);
  std::string data;
  for (const Tensor& tensor : tensors) {
    const std::size_t begin = data.size();
    data += tensor.bytes;
    header[tensor.name] = {{"dtype", dtypes[static_cast<std::size_t>(tensor.dtype)].name},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8,
              ' ');  // the data begins on a multiple of 8, as the format's own writer does it
  Hash64 hash(hash64(text));
  hash.add(data);
  const std::string checksum = checksum_text(hash);
  text.replace(text.find(checksum_key) + checksum_key.size(), checksum.size(), checksum);
  const std::uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text + data;
}

SafeTensors decode_safetensors(std::uint64_t size, const ReadBytes& read, const std::string& what) {
  std::uint64_t length = 0;
  if (size < sizeof length) refuse(what, fmt::format("{} bytes long", size), "a safetensors file");
  read(0, {reinterpret_cast<char*>(&length), sizeof length});
  if (length > max_header || length > size - sizeof length)
    refuse(what, fmt::format("header length {} in a file of {} bytes", length, size), "a safetensors file");
  std::string text(length, '\0');
  read(sizeof length, text);
  const std::uint64_t data_begin = sizeof length + length;
  Header header = parse_header(std::move(text), size - data_begin, what);

  SafeTensors file;
  file.metadata = std::move(header.metadata);
  const std::string* checksum = file.find_metadata("checksum");
  Hash64 hash(checksum != nullptr ? hash64(blank_out(std::move(header.text), *checksum, what)) : 0);
  for (Entry& entry : header.entries) {
    std::string& bytes = entry.tensor.bytes;
    bytes.resize(entry.end - entry.begin);
    if (!bytes.empty()) read(data_begin + entry.begin, bytes);
    hash.add(bytes);
    file.tensors.push_back(std::move(entry.tensor));
  }
  if (checksum != nullptr && checksum_text(hash) != *checksum)
    refuse(what, fmt::format("checksum {}", checksum_text(hash)),
           fmt::format("checksum {}, as stored in the file", *checksum));
  return file;
}

SafeTensors decode_safetensors(std::string_view bytes, const std::string& what) {
  const auto read = [&](std::uint64_t offset, std::span<char> out) {
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  };
  return decode_safetensors(bytes.size(), read, what);
}

SafeTensors read_safetensors(const std::string& path, const std::string& kind) {
  const InputFile file(path, kind);
  const auto read = [&](std::uint64_t offset, std::span<char> out) { file.read(offset, out); };
  return decode_safetensors(file.size(), read, kind + " " + path);
}
}  // namespace charnn
