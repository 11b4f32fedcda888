#include "extras/pytorch/torch_state_dict.h"
#include <limits>
#include "core/base/random.h"
#include "core/model/network_layout.h"
#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

using Tensors = std::vector<Tensor>;

const std::vector<char32_t> symbols{U'b', U'\n', U'é', U'a', U'z'};  // five, in no order
constexpr std::int64_t V = 5, E = 3, H = 4;

Tensor tensor(const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<float>& values) {
  return {name, Dtype::f32, shape, bytes_of(values)};
}

std::size_t size_of(const std::vector<std::int64_t>& shape) {
  std::size_t size = 1;
  for (const std::int64_t n : shape) size *= static_cast<std::size_t>(n);
  return size;
}

Tensor filled(const std::string& name, const std::vector<std::int64_t>& shape, float value = 0) {
  return tensor(name, shape, std::vector<float>(size_of(shape), value));
}

Tensor random_tensor(const std::string& name, const std::vector<std::int64_t>& shape, Random& random) {
  std::vector<float> values(size_of(shape));
  for (float& value : values) value = static_cast<float>(2 * random.uniform() - 1);
  return tensor(name, shape, values);
}

Tensor as_double(const Tensor& tensor, double factor = 1) {
  Tensor result{tensor.name, Dtype::f64, tensor.shape};
  for (const float value : tensor.floats()) {
    const double number = factor * static_cast<double>(value);
    result.bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  return result;
}

/// A state_dict of a network of that kind, layers named as told.
Tensors state_dict(Cell cell, std::int64_t layers, const std::string& embedding, const std::string& rnn,
                   const std::string& decoder, std::int64_t embedding_size = E) {
  const ModelConfig config{.cell = cell, .layers = layers, .hidden = H, .embedding = embedding_size};
  Random random(7);
  Tensors tensors;
  const NetworkLayout layout(config, V);
  for (const WeightInfo& weight : layout.weights()) {
    const std::string kind = weight.name.substr(weight.name.find('.') + 1);
    const bool is_rnn = weight.name.starts_with("rnn."), is_embedding = weight.name.starts_with("encoder.");
    tensors.push_back(
        random_tensor((is_rnn ? rnn : (is_embedding ? embedding : decoder) + ".") + kind, weight.shape, random));
  }
  return tensors;
}

std::vector<float> get(const Tensors& tensors, const std::string& name) {
  for (const Tensor& known : tensors)
    if (known.name == name) return known.floats();
  throw std::out_of_range(name);
}

/// A weight of the network by charnn's name.
std::vector<float> get(const ImportedNetwork& network, const std::string& name) {
  const NetworkLayout layout(network.config, network.vocabulary.size());
  for (const WeightInfo& weight : layout.weights())
    if (weight.name == name) {
      const auto begin = network.weights.begin() + weight.offset;
      return {begin, begin + weight.size};
    }
  throw std::out_of_range(name);
}

/// Row `row` of those that the symbols have.
std::vector<float> row_of(const std::vector<float>& values, std::int64_t row) {
  const auto width = static_cast<std::int64_t>(values.size()) / V;
  return {values.begin() + row * width, values.begin() + (row + 1) * width};
}

void remove(Tensors& tensors, const std::string& name) {
  std::erase_if(tensors, [&](const Tensor& known) { return known.name == name; });
}

ImportedNetwork understood(const Tensors& tensors, const StateDictNames& names = {}) {
  ImportedNetwork network = from_state_dict(tensors, symbols, names, "x");
  EXPECT_EQ(network.vocabulary.size(), V);
  EXPECT_EQ(network.weights.size(), static_cast<std::size_t>(NetworkLayout(network.config, V).size()));
  return network;
}

std::string refusal(const Tensors& tensors, const StateDictNames& names = {}) {
  return error_of([&] { from_state_dict(tensors, symbols, names, "x"); });
}

TEST(StateDict, OfEveryCellIsUnderstood) {
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm}) {
    const Tensors tensors = state_dict(cell, 2, "emb", "model.core.", "fc");
    const ImportedNetwork network = understood(tensors);
    EXPECT_EQ(network.config.cell, cell);
    EXPECT_EQ(network.config.layers, 2);
    EXPECT_EQ(network.config.hidden, H);
    EXPECT_EQ(network.config.embedding, E);
    const NetworkLayout layout(network.config, V);
    for (const WeightInfo& weight : layout.weights()) {
      if (!weight.name.starts_with("rnn.")) continue;
      EXPECT_EQ(get(network, weight.name), get(tensors, "model.core." + weight.name.substr(4))) << weight.name;
    }
  }
}

TEST(StateDict, RowsFollowTheirSymbols) {
  const Tensors tensors = state_dict(Cell::gru, 1, "emb", "gru.", "fc");
  const ImportedNetwork network = understood(tensors);
  EXPECT_EQ(network.vocabulary, Vocabulary(Tokens::chars, {U'\n', U'a', U'b', U'z', U'é'}));
  const std::vector<std::pair<const char*, const char*>> moved{
      {"emb.weight", "encoder.weight"}, {"fc.weight", "decoder.weight"}, {"fc.bias", "decoder.bias"}};
  for (const auto& [before, after] : moved)
    for (std::size_t i = 0; i < symbols.size(); ++i)
      EXPECT_EQ(row_of(get(network, after), *network.vocabulary.id(symbols[i])),
                row_of(get(tensors, before), static_cast<std::int64_t>(i)))
          << after << " " << i;
}

TEST(StateDict, OneHotInputGetsAnEmbedding) {
  Tensors tensors = state_dict(Cell::lstm, 1, "none", "lstm.", "fc", V);
  remove(tensors, "none.weight");
  const ImportedNetwork network = understood(tensors);
  EXPECT_EQ(network.config.embedding, V);
  // 'b' was number 0.
  EXPECT_EQ(row_of(get(network, "encoder.weight"), *network.vocabulary.id(U'b')), (std::vector<float>{1, 0, 0, 0, 0}));
}

TEST(StateDict, WhatIsMissingByChoiceIsZero) {
  Tensors tensors = state_dict(Cell::lstm, 1, "emb", "lstm.", "fc");
  for (const char* name : {"lstm.bias_ih_l0", "lstm.bias_hh_l0", "fc.bias"}) remove(tensors, name);
  const ImportedNetwork network = understood(tensors);
  for (const char* name : {"rnn.bias_ih_l0", "rnn.bias_hh_l0", "decoder.bias"})
    for (const float value : get(network, name)) EXPECT_EQ(value, 0) << name;
}

TEST(StateDict, DoublesBecomeFloats) {
  const Tensors floats = state_dict(Cell::rnn, 1, "emb", "rnn.", "fc");
  Tensors tensors;
  for (const Tensor& known : floats) tensors.push_back(as_double(known));
  EXPECT_EQ(understood(tensors).weights, understood(floats).weights);
  tensors[0] = as_double(floats[0], 1e300);
  expect_contains(refusal(tensors), "\"emb.weight\" contains NaN or infinity");
}

TEST(StateDict, LayersOfTheSameShapeAreToldApartByName) {
  // The embedding is as large as the hidden layer.
  const auto named = [](const char* embedding, const char* decoder) {
    return state_dict(Cell::gru, 1, embedding, "rnn.", decoder, H);
  };
  const auto expect = [](const Tensors& tensors, const std::string& embedding, const StateDictNames& names = {}) {
    EXPECT_EQ(row_of(get(understood(tensors, names), "encoder.weight"), 1),
              row_of(get(tensors, embedding + ".weight"), 3))
        << embedding;  // 'a'
  };
  expect(named("token_emb", "lm_head"), "token_emb");
  expect(named("encoder", "decoder"), "encoder");
  expect(named("one", "fc"), "one");
  expect(named("wte", "two"), "wte");
  expect(named("one", "two"), "one", {.embedding = "one"});
  expect(named("one", "two"), "one", {.decoder = "two.weight"});
  expect(named("one", "two"), "one", {.decoder = "two"});
  const std::string message = refusal(named("one", "two"));
  expect_contains(message, "\"one.weight\", \"two.weight\"");
  expect_contains(message, "--embedding-name");
  expect_contains(refusal(named("one", "two"), {.embedding = "three"}), "one of \"one.weight\", \"two.weight\"");
}

TEST(StateDict, OneOfSeveralRecurrentNetworksIsChosen) {
  Tensors tensors = state_dict(Cell::gru, 1, "emb", "a.", "fc");
  for (const Tensor& other : state_dict(Cell::gru, 1, "x", "b.", "y"))
    if (other.name.starts_with("b.")) tensors.push_back(other);
  expect_contains(refusal(tensors), "2 recurrent networks: \"a.\", \"b.\"");
  expect_contains(refusal(tensors, {.rnn = "a"}), "\"b.bias_hh_l0\"");
  expect_contains(refusal(tensors, {.rnn = "c"}), "\"c.weight_ih_l0\"");
}

TEST(StateDict, RefusesWhatItIsNot) {
  const Tensors good = state_dict(Cell::lstm, 2, "emb", "rnn.", "fc");
  const auto with_tensor = [&](const Tensor& other) {
    Tensors all = good;
    remove(all, other.name);
    all.push_back(other);
    return refusal(all);
  };
  const auto with = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    return with_tensor(filled(name, shape));
  };
  const auto without = [&](const std::string& name) {
    Tensors rest = good;
    remove(rest, name);
    return refusal(rest);
  };
  expect_contains(with("rnn.weight_ih_l0_reverse", {16, 3}), "bidirectional");
  expect_contains(with("rnn.weight_hr_l0", {2, 4}), "projection");
  expect_contains(with("rnn.weight_hh_l0", {8, 4}), "8 rows and 4 columns");
  expect_contains(with("rnn.weight_hh_l0", {0, 0}), "not a matrix");
  expect_contains(with("rnn.weight_ih_l1", {16, 8}), "rnn.weight_ih_l1");
  expect_contains(with("norm.weight", {4}), "no place for: \"norm.weight\" [4]");
  expect_contains(with_tensor({"rnn.bias_ih_l1", Dtype::i64, {16}, std::string(128, '\0')}), "another shape or type");
  expect_contains(with_tensor(filled("fc.weight", {V, H}, std::numeric_limits<float>::quiet_NaN())), "fc.weight");
  expect_contains(with("fc.weight", {V + 1, H}), "as many rows");
  expect_contains(with("x\n\x1b.weight", {1}), "\"x\\n\\u001b.weight\"");
  expect_contains(without("rnn.bias_ih_l0"), "\"rnn.bias_ih_l0\" is missing");
  expect_contains(without("rnn.weight_hh_l1"), "\"rnn.weight_hh_l1\" is missing");
  expect_contains(without("rnn.weight_ih_l0"), "no tensor \"weight_ih_l0\"");
  expect_contains(without("emb.weight"), "for the embedding");
  expect_contains(without("fc.weight"), "for the decoder");
  expect_contains(refusal({filled("cell.weight_ih", {16, 3})}), "rename weight_ih");
  expect_contains(refusal({}), "but none");
}

std::string text_of(const std::vector<char32_t>& order) {
  return std::string(order.begin(), order.end());  // of ASCII alone
}

TEST(SymbolOrder, IsReadInEveryForm) {
  const auto json = [](const char* text) { return text_of(parse_symbol_order(text, true, "v.json")); };
  EXPECT_EQ(json(R"(["b", "a", "\n"])"), "ba\n");
  EXPECT_EQ(json(R"({"a": 1, "b": 0, "\n": 2})"), "ba\n");
  EXPECT_EQ(json(R"({"1": "a", "0": "b", "2": "\n"})"), "ba\n");
  EXPECT_EQ(json(R"({"1": 0, "0": 1})"), "10") << "numbers as values: the keys are characters";
  EXPECT_EQ(text_of(parse_symbol_order("ba\n", false, "v.txt")), "ba\n");
  EXPECT_EQ(parse_symbol_order("é€", false, "v.txt"), (std::vector<char32_t>{U'é', U'€'}));
}

TEST(SymbolOrder, RefusesWhatIsNone) {
  const auto refused = [](const std::string& text, bool is_json = true) {
    return error_of([&] { parse_symbol_order(text, is_json, "v"); });
  };
  expect_contains(refused("[]"), "empty");
  expect_contains(refused("", false), "empty");
  expect_contains(refused("aba", false), "'a' has the ids 0 and 2");
  expect_contains(refused("a\xff", false), "invalid UTF-8 at byte 1");
  expect_contains(refused("[\"a\", \"<pad>\"]"), "\"<pad>\" is not one character");
  expect_contains(refused("[\"a\", \"\"]"), "is not one character");
  expect_contains(refused("[\"a\", 1]"), "1 is neither");
  expect_contains(refused("7"), "neither an array nor an object");
  expect_contains(refused("ab"), "not JSON");
  expect_contains(refused(R"({"a": 0, "a": 1})"), "twice");
  expect_contains(refused(R"({"a": 0, "b": 2})"), "id 2 is too large");
  expect_contains(refused(R"({"a": 0, "b": 0})"), "id 0 appears twice");
  expect_contains(refused(R"({"a": -1})"), "-1 is neither");
  expect_contains(refused(R"({"a": "b"})"), "\"a\" is not an id");
}

}  // namespace
}  // namespace charnn
