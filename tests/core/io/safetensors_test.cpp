#include "core/io/safetensors.h"
#include <cstring>
#include <limits>
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

std::string with_header(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

std::string refusal(const std::string& bytes) {
  return error_of([&] { decode_safetensors(bytes, "x.safetensors"); });
}

TEST(SafeTensors, ComesBackTheSame) {
  const std::vector<float> numbers{0.1F, -2, 3e38F, 1e-45F, std::numeric_limits<float>::infinity(), -0.0F};
  const std::vector<Tensor> tensors{{"b", Dtype::f32, {2, 3}, bytes_of(numbers)},
                                    {"a", Dtype::u8, {5}, {'\0', '\1', '\2', '\3', '\4'}},
                                    {"scalar", Dtype::i64, {}, {'\7', '\0', '\0', '\0', '\0', '\0', '\0', '\0'}},
                                    {"half", Dtype::f64, {1}, {'\0', '\0', '\0', '\0', '\0', '\0', '\xe0', '\x3f'}},
                                    {"empty", Dtype::f32, {0}}};
  const std::string bytes = encode_safetensors(tensors, {{"note", "ä\n\"x\""}});
  EXPECT_EQ(encode_safetensors(tensors, {{"note", "ä\n\"x\""}}), bytes);
  const SafeTensors file = decode_safetensors(bytes, "x");
  EXPECT_EQ(*file.find_metadata("note"), "ä\n\"x\"");
  ASSERT_EQ(file.tensors.size(), tensors.size());
  for (const Tensor& tensor : tensors) {
    const Tensor* found = file.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->dtype, tensor.dtype) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape) << tensor.name;
    EXPECT_EQ(found->bytes, tensor.bytes) << tensor.name;
  }
  EXPECT_EQ(file.find("B"), nullptr);
  EXPECT_EQ(file.find("b")->floats(), numbers);
  EXPECT_EQ(file.find("half")->floats(), std::vector<float>{0.5F});
  EXPECT_TRUE(file.find("empty")->floats().empty());
}

TEST(SafeTensors, EveryDamagedByteIsNoticed) {
  const std::string bytes = encode_safetensors({{"a", Dtype::f32, {4}, "0123456789abcdef"}}, {{"note", "x"}});
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x04);
    // Damage to the word "checksum" itself leaves a file without one, which load_checkpoint() refuses.
    const std::size_t key = bytes.find("checksum");
    if (i >= key && i < key + 8)
      EXPECT_EQ(decode_safetensors(damaged, "x").find_metadata("checksum"), nullptr);
    else
      refusal(damaged);
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) refusal(bytes.substr(0, length));
  expect_contains(refusal(bytes + "x"), "after the last tensor");
}

TEST(SafeTensors, RefusesMalformedHeaders) {
  const std::string four(4, '\0'), eight(8, '\0');
  expect_contains(refusal(""), "0 bytes long");
  expect_contains(refusal(std::string(8, '\xff')), "header length");
  expect_contains(refusal(with_header("[]")), "not a JSON object");
  expect_contains(refusal(with_header("{")), "not JSON");
  expect_contains(
      refusal(with_header(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          four)),
      "twice");
  expect_contains(refusal(with_header(R"({"a":{"dtype":"BF8","shape":[1],"data_offsets":[0,4]}})", four)), "dtype");
  expect_contains(refusal(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", four)), "8 bytes");
  expect_contains(refusal(with_header(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four)),
                  "not a non-negative integer");
  expect_contains(
      refusal(with_header(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,16],"data_offsets":[0,4]}})", four)),
      "overflows");
  expect_contains(
      refusal(with_header(R"({"a":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}})")),
      "overflows");
  expect_contains(refusal(with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", four)),
                  "data_offsets");
  expect_contains(refusal(with_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight)),
                  "from 0 on");
  expect_contains(
      refusal(with_header(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          four)),
      "from 4 on");
  expect_contains(refusal(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", four)), "up to 4");
  expect_contains(refusal(with_header(R"({"__metadata__":{"x":1}})")), "metadata are not strings");
  expect_contains(refusal(with_header(std::string(100, '['))), "not");
  // Deep enough to exhaust the stack of whoever goes through it by recursion.
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  expect_contains(refusal(with_header(R"({"a":{"dtype":)" + deep + R"(,"shape":[0],"data_offsets":[0,0]}})")),
                  "nested too deep");
}

}  // namespace
}  // namespace charnn
