#pragma once
#include <cstdint>
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

/// A tensor as stored in the file.
struct Tensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;
  std::string bytes = {};  ///< row-major, little-endian

  bool is_floating_point() const noexcept { return dtype == Dtype::f32 || dtype == Dtype::f64; }
  std::vector<float> floats() const;  ///< of f32 or f64
};
std::string bytes_of(std::span<const float> values);

struct SafeTensors {
  std::map<std::string, std::string> metadata;
  std::vector<Tensor> tensors;  ///< in the order of their bytes

  const std::string* find_metadata(const std::string& key) const;
  const Tensor* find(const std::string& name) const;
};

/// The file's bytes, a function of the arguments alone. Adds a metadata entry "checksum": XXH3 (64 bits, hex) of the
/// whole file with zeros in place of the checksum's digits.
std::string encode_safetensors(const std::vector<Tensor>& tensors,
                               const std::vector<std::pair<std::string, std::string>>& metadata);

/// Verifies everything, for untrusted input: lengths, offsets, dtypes, shapes and keys before allocating tensors, then
/// the checksum, if there is one. `what` names the file in messages. Throws Error (usage).
SafeTensors decode_safetensors(std::string_view bytes, const std::string& what);

/// Like decode_safetensors(), from a file with the role `kind` ("checkpoint"). Also throws like InputFile.
SafeTensors read_safetensors(const std::string& path, const std::string& kind);
}  // namespace charnn
