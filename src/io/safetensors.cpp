#include "charnn/io/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "charnn/base/error.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

namespace charnn {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t max_header = 100'000'000;  // the format's own limit
constexpr std::string_view blank_checksum = "0000000000000000";
constexpr std::string_view checksum_key = "\"checksum\":\"";

struct Dtype {
  const char* name;
  torch::ScalarType type;
  std::uint64_t size;
};
constexpr std::array<Dtype, 4> dtypes{{{"F32", torch::kFloat32, 4},
                                       {"F64", torch::kFloat64, 8},
                                       {"I64", torch::kInt64, 8},
                                       {"U8", torch::kUInt8, 1}}};

std::uint64_t hash_parts(std::string_view header, std::string_view data) {
  std::uint64_t hash = XXH3_64bits(header.data(), header.size());
  return XXH3_64bits_withSeed(data.data(), data.size(), hash);
}

[[noreturn]] void refuse(const std::string& what, const std::string& found, const std::string& expected) {
  fail_input(fmt::format("{}: {}", what, found), expected,
             "the file is damaged or of another kind; use another checkpoint");
}

/// Parses the header; nlohmann would silently keep the last of two equal keys.
json parse_header(std::string_view text, const std::string& what) {
  std::vector<std::set<std::string>> keys;
  const auto check_keys = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      refuse(what, fmt::format("key {} appears twice in the header", parsed.dump()), "each key once");
    if (keys.size() > 8) refuse(what, "the header is nested too deep", "a safetensors header");
    return true;
  };
  json header = json::parse(text.begin(), text.end(), check_keys, /*allow_exceptions=*/false);
  if (!header.is_object()) refuse(what, "the header is not a JSON object", "a safetensors file");
  return header;
}

struct Entry {
  std::string name;
  const Dtype* dtype = nullptr;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

Entry parse_entry(const std::string& name, const json& value, const std::string& what) {
  const std::string place = fmt::format("{}: tensor {}", what, json(name).dump(-1, ' ', true));
  Entry entry;
  entry.name = name;
  const auto member = [&](const char* key) -> const json& {
    if (!value.is_object() || !value.contains(key))
      refuse(place, fmt::format("no \"{}\"", key), "dtype, shape, data_offsets");
    return value.at(key);
  };
  const json& dtype = member("dtype");
  for (const Dtype& known : dtypes)
    if (dtype == known.name) entry.dtype = &known;
  if (entry.dtype == nullptr) refuse(place, "dtype " + dtype.dump(-1, ' ', true), "F32, F64, I64 or U8");
  const auto number = [&](const json& item) {
    if (!item.is_number_unsigned())
      refuse(place, "a size or offset that is not a whole number", "whole numbers");
    return item.get<std::uint64_t>();
  };
  const json& shape = member("shape");
  const json& offsets = member("data_offsets");
  if (!shape.is_array() || shape.size() > 8 || !offsets.is_array() || offsets.size() != 2)
    refuse(place, "shape or data_offsets has another form", "shape of at most 8 sizes, two offsets");
  std::uint64_t bytes = entry.dtype->size;
  for (const json& item : shape) {
    const std::uint64_t size = number(item);
    if (size != 0 && bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / size)
      refuse(place, "the shape's product overflows", "a tensor that fits in memory");
    bytes *= size;
    entry.shape.push_back(static_cast<std::int64_t>(size));
  }
  entry.begin = number(offsets[0]);
  entry.end = number(offsets[1]);
  if (entry.end < entry.begin || entry.end - entry.begin != bytes)
    refuse(place, fmt::format("data_offsets [{}, {}]", entry.begin, entry.end),
           fmt::format("{} bytes, as dtype and shape say", bytes));
  return entry;
}

void verify_checksum(std::string_view header, std::string_view data, const std::string& stored,
                     const std::string& what) {
  std::string blanked(header);
  const auto at = blanked.find(checksum_key);
  if (stored.size() != blank_checksum.size() || at == std::string::npos)
    refuse(what, "the checksum has another form", "16 hexadecimal digits");
  blanked.replace(at + checksum_key.size(), blank_checksum.size(), blank_checksum);
  const std::string actual = fmt::format("{:016x}", hash_parts(blanked, data));
  if (actual != stored)
    refuse(what, fmt::format("checksum {}", actual),
           fmt::format("checksum {}, as stored in the file", stored));
}

}  // namespace

const std::string* SafeTensors::find_metadata(const std::string& key) const {
  const auto at = metadata.find(key);
  return at == metadata.end() ? nullptr : &at->second;
}

std::string encode_safetensors(const NamedTensors& tensors, Metadata metadata) {
  ordered_json header;
  // First, so that the first match of checksum_key in the header is the entry itself.
  header["__metadata__"]["checksum"] = blank_checksum;
  for (auto& [key, value] : metadata) header["__metadata__"][key] = std::move(value);
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor flat = tensor.detach().to(torch::kCPU).contiguous();
    const auto dtype = std::find_if(dtypes.begin(), dtypes.end(),
                                    [&](const Dtype& d) { return d.type == flat.scalar_type(); });
    if (dtype == dtypes.end())
      throw Error(ExitCode::failure, fmt::format("tensor {}: dtype cannot be saved", name), "", "");
    const std::uint64_t begin = data.size();
    data.append(static_cast<const char*>(flat.data_ptr()), flat.nbytes());
    header[name] = {
        {"dtype", dtype->name}, {"shape", flat.sizes().vec()}, {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8,
              ' ');  // the data begins on a multiple of 8, as the format's own writer does it
  const std::string checksum = fmt::format("{:016x}", hash_parts(text, data));
  text.replace(text.find(checksum_key) + checksum_key.size(), checksum.size(), checksum);
  const std::uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text + data;
}

SafeTensors decode_safetensors(std::string_view bytes, const std::string& what) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length)
    refuse(what, fmt::format("{} bytes long", bytes.size()), "a safetensors file");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > max_header || length > bytes.size() - sizeof length)
    refuse(what, fmt::format("header length {} in a file of {} bytes", length, bytes.size()),
           "a safetensors file");
  const std::string_view text = bytes.substr(sizeof length, length);
  const std::string_view data = bytes.substr(sizeof length + length);
  const json header = parse_header(text, what);

  SafeTensors file;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(parse_entry(name, value, what));
      continue;
    }
    if (!value.is_object()) refuse(what, "__metadata__ is not an object", "an object of texts");
    for (const auto& [key, text_value] : value.items()) {
      if (!text_value.is_string()) refuse(what, fmt::format("metadata \"{}\" is not a text", key), "a text");
      file.metadata[key] = text_value.get<std::string>();
    }
  }
  // In order of their bytes, each tensor begins where the one before ended: no overlap, no gap, nothing left
  // over.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != expected || entry.end > data.size())
      refuse(what,
             fmt::format("tensor {}: bytes {} to {}", json(entry.name).dump(-1, ' ', true), entry.begin,
                         entry.end),
             fmt::format("bytes from {} on, up to {} at most", expected, data.size()));
    expected = entry.end;
  }
  if (expected != data.size())
    refuse(what, fmt::format("{} bytes after the last tensor", data.size() - expected), "none");
  if (const std::string* checksum = file.find_metadata("checksum"))
    verify_checksum(text, data, *checksum, what);

  for (const Entry& entry : entries) {
    torch::Tensor tensor = torch::empty(entry.shape, entry.dtype->type);
    if (entry.end > entry.begin)
      std::memcpy(tensor.data_ptr(), data.data() + entry.begin, entry.end - entry.begin);
    file.tensors.emplace_back(entry.name, tensor);
  }
  return file;
}

}  // namespace charnn
