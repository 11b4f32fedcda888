#include "core/io/corpus_cache.h"

#include "core/io/safetensors.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

TEST(CorpusCache, ComesBackTheSame) {
  const test::TemporaryFolder folder;
  const CorpusIndex index{
      Tokens::chars,
      {12'345'678'901, 0xfedcba9876543210U},
      {U'a', U'é', U'😀'},
      {{{12'345'678'900, 1'700'000'000'123'456'789, 1'700'000'000'987'654'321}, 7, 99, {4096, 16384}},
       {{1, 2, 3}, 0xffffffffffffffffU, 1, {}}}};
  save_corpus_index(folder / "index", index);
  const CorpusIndex loaded = load_corpus_index(folder / "index");
  EXPECT_EQ(loaded.tokens, index.tokens);
  EXPECT_EQ(loaded.fingerprint, index.fingerprint);
  EXPECT_EQ(loaded.characters, index.characters);
  ASSERT_EQ(loaded.files.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(loaded.files[i].stamp, index.files[i].stamp);
    EXPECT_EQ(loaded.files[i].sample, index.files[i].sample);
    EXPECT_EQ(loaded.files[i].symbols, index.files[i].symbols);
    EXPECT_EQ(loaded.files[i].block_lengths, index.files[i].block_lengths);
  }
}

TEST(CorpusCache, RefusesWhatIsNoIndex) {
  const test::TemporaryFolder folder;
  const auto refusal = [&](const std::string& json) {
    const std::string bytes = encode_safetensors({{"characters", Dtype::u8, {4}, std::string(4, '\0')}},
                                                 {{"format", "charnn-text-index-1"}, {"index", json}});
    return error_of([&] { load_corpus_index(folder.write("index", bytes)); });
  };
  expect_contains(error_of([&] { load_corpus_index(folder.write("index", "")); }), "0 bytes long");
  expect_contains(error_of([&] { load_corpus_index(folder.write("index", encode_safetensors({}, {}))); }), "metadata");
  expect_contains(refusal("["), "remove it");
  expect_contains(refusal(R"({"tokens":"chars","bytes":-1,"hash":"0123456789abcdef","files":[]})"),
                  "\"bytes\" is no count");
  expect_contains(refusal(R"({"tokens":"chars","bytes":1e300,"hash":"0123456789abcdef","files":[]})"),
                  "\"bytes\" is no count");
  expect_contains(refusal(R"({"tokens":"chars","bytes":1,"hash":"-1","files":[]})"), "16 hexadecimal digits");
  expect_contains(
      refusal(
          R"({"tokens":"chars","bytes":1,"hash":"0123456789abcdef","files":[{"bytes":1,"modified":1,"changed":1,"sample":"0123456789abcdef","symbols":1}]})"),
      "block_lengths.0");
}

}  // namespace
}  // namespace charnn
