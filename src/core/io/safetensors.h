#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace charnn {
// The safetensors format (https://github.com/huggingface/safetensors): 8 bytes little-endian length N, N bytes of JSON
// {"__metadata__": {string: string}, name: {"dtype", "shape", "data_offsets"}}, then the tensors' bytes without gaps.

enum class Dtype { f32, f64, i64, u8 };

/// A tensor as the file holds it.
struct Tensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;
  std::string bytes = {};  ///< row-major, little-endian

  bool is_floating_point() const noexcept { return dtype == Dtype::f32 || dtype == Dtype::f64; }
  std::vector<float> floats() const;  ///< of f32 or f64
};
std::string bytes_of(std::span<const float> values);

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct SafeTensors {
  std::map<std::string, std::string> metadata;
  std::vector<Tensor> tensors;  ///< in the order of their bytes

  const std::string* find_metadata(const std::string& key) const;
  const Tensor* find(const std::string& name) const;
};

/// The file's bytes. The same arguments give the same bytes; `metadata` gets an entry "checksum": XXH3 (64 bits, hex) of
/// the whole file with the checksum's digits as zeros.
std::string encode_safetensors(const std::vector<Tensor>& tensors, Metadata metadata);

/// Trusts nothing: lengths, offsets, gaps, overlaps, dtypes, shapes and repeated keys are verified before any tensor is
/// made, the checksum (where there is one) before any is handed out. `what` names the file in messages. Throws Error
/// (usage).
SafeTensors decode_safetensors(std::string_view bytes, const std::string& what);

/// The same of a file that is read part by part: read(offset, out) fills `out`, always within `size` bytes.
using ReadBytes = std::function<void(std::uint64_t offset, std::span<char> out)>;
SafeTensors decode_safetensors(std::uint64_t size, const ReadBytes& read, const std::string& what);

/// The same of the file at `path`, whose role `kind` names ("checkpoint"). Throws as InputFile, too.
SafeTensors read_safetensors(const std::string& path, const std::string& kind);
}  // namespace charnn
