#include "core/io/corpus_cache.h"

#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "core/io/strict_json.h"

namespace charnn {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* format_name = "charnn-text-index-1";
constexpr const char* characters_name = "characters";

std::string lengths_name(std::size_t file) { return fmt::format("block_lengths.{}", file); }

template <class Number>
Tensor tensor_of(std::string name, const std::vector<Number>& numbers) {
  const std::size_t size = numbers.size() * sizeof(Number);
  return {std::move(name), Dtype::u8, {static_cast<std::int64_t>(size)},
          {static_cast<const char*>(static_cast<const void*>(numbers.data())), size}};
}

template <class Number>
std::vector<Number> numbers_of(const SafeTensors& file, const std::string& name) {
  const Tensor* tensor = file.find(name);
  if (tensor == nullptr || tensor->dtype != Dtype::u8 || tensor->bytes.size() % sizeof(Number) != 0)
    throw std::invalid_argument("no usable tensor " + name);
  std::vector<Number> numbers(tensor->bytes.size() / sizeof(Number));
  if (!numbers.empty()) std::memcpy(numbers.data(), tensor->bytes.data(), tensor->bytes.size());
  return numbers;
}

/// A count, within what int64 holds.
std::int64_t count_of(const json& object, const char* key) {
  const json& value = object.at(key);
  if (!value.is_number_integer() || value < 0 || value > std::int64_t{1} << 62)
    throw std::invalid_argument(fmt::format("\"{}\" is no count", key));
  return value.get<std::int64_t>();
}

std::uint64_t hash_of(const json& object, const char* key) { return parse_hash(object.at(key).get<std::string>()); }

ordered_json to_json(const CorpusIndex::File& file) {
  return {{"bytes", file.stamp.size},
          {"modified", file.stamp.modified},
          {"changed", file.stamp.changed},
          {"sample", fmt::format("{:016x}", file.sample)},
          {"symbols", file.symbols}};
}

}  // namespace

void save_corpus_index(const std::string& path, const CorpusIndex& index) {
  ordered_json json = {{"tokens", token_names[static_cast<std::size_t>(index.tokens)]},
                       {"bytes", index.fingerprint.bytes},
                       {"hash", fmt::format("{:016x}", index.fingerprint.hash)},
                       {"files", ordered_json::array()}};
  std::vector<Tensor> tensors{tensor_of(characters_name, index.characters)};
  for (std::size_t i = 0; i < index.files.size(); ++i) {
    json["files"].push_back(to_json(index.files[i]));
    tensors.push_back(tensor_of(lengths_name(i), index.files[i].block_lengths));
  }
  write_file(path, encode_safetensors(tensors, {{"format", format_name}, {"index", json.dump()}}));
}

CorpusIndex load_corpus_index(const std::string& path) {
  const SafeTensors file = read_safetensors(path, "text index");
  const std::string* format = file.find_metadata("format");
  const std::string* text = file.find_metadata("index");
  try {
    if (format == nullptr || *format != format_name || text == nullptr || file.find_metadata("checksum") == nullptr)
      throw std::invalid_argument("its metadata are others");
    const json json = parse_strict(*text);
    CorpusIndex index;
    index.tokens = json.at("tokens") == token_names[1] ? Tokens::bytes : Tokens::chars;
    if (json.at("tokens") != token_names[static_cast<std::size_t>(index.tokens)])
      throw std::invalid_argument("tokens are neither chars nor bytes");
    index.fingerprint = {count_of(json, "bytes"), hash_of(json, "hash")};
    index.characters = numbers_of<char32_t>(file, characters_name);
    for (const auto& item : json.at("files"))
      index.files.push_back({{count_of(item, "bytes"), count_of(item, "modified"), count_of(item, "changed")},
                             hash_of(item, "sample"),
                             count_of(item, "symbols"),
                             numbers_of<std::uint16_t>(file, lengths_name(index.files.size()))});
    return index;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail_input(fmt::format("text index {}: {}", path, error.what()), "an index as charnn writes it",
               "remove it; it is made anew");
  }
}

}  // namespace charnn
