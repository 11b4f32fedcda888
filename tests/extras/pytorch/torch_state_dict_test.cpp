#include "extras/pytorch/torch_state_dict.h"

#include <limits>

#include "tests/support.h"

namespace charnn {
namespace {

using test::error_of;
using test::expect_contains;

const std::vector<char32_t> symbols{U'b', U'\n', U'é', U'a', U'z'};  // five, in no order
constexpr std::int64_t V = 5, E = 3, H = 4;

/// A state_dict of a network of that kind, layers named as told.
NamedTensors state_dict(Cell cell, std::int64_t layers, const std::string& embedding, const std::string& rnn,
                        const std::string& decoder, std::int64_t embedding_size = E) {
  const ModelConfig config{.cell = cell, .layers = layers, .hidden = H, .embedding = embedding_size};
  NamedTensors tensors;
  for (const auto& [name, shape] : weight_shapes(config, V)) {
    const std::string kind = name.substr(name.find('.') + 1);
    const bool is_rnn = name.rfind("rnn.", 0) == 0, is_embedding = name.rfind("encoder.", 0) == 0;
    tensors.emplace_back((is_rnn ? rnn : (is_embedding ? embedding : decoder) + ".") + kind, torch::randn(shape));
  }
  return tensors;
}

const torch::Tensor& get(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [known, tensor] : tensors)
    if (known == name) return tensor;
  throw std::out_of_range(name);
}

void remove(NamedTensors& tensors, const std::string& name) {
  std::erase_if(tensors, [&](const auto& tensor) { return tensor.first == name; });
}

TorchNetwork understood(const NamedTensors& tensors, const StateDictNames& names = {}) {
  TorchNetwork network = from_state_dict(tensors, symbols, names, "x");
  require_weights(network.weights, network.config, network.vocabulary.size(), "x");
  return network;
}

std::string refusal(const NamedTensors& tensors, const StateDictNames& names = {}) {
  return error_of([&] { from_state_dict(tensors, symbols, names, "x"); });
}

TEST(StateDict, OfEveryCellIsUnderstood) {
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm}) {
    const NamedTensors tensors = state_dict(cell, 2, "emb", "model.core.", "fc");
    const TorchNetwork network = understood(tensors);
    EXPECT_EQ(network.config.cell, cell);
    EXPECT_EQ(network.config.layers, 2);
    EXPECT_EQ(network.config.hidden, H);
    EXPECT_EQ(network.config.embedding, E);
    EXPECT_TRUE(torch::equal(get(network.weights, "rnn.weight_ih_l1"), get(tensors, "model.core.weight_ih_l1")));
    EXPECT_TRUE(torch::equal(get(network.weights, "rnn.bias_hh_l0"), get(tensors, "model.core.bias_hh_l0")));
    const auto shapes = weight_shapes(network.config, V);
    for (std::size_t i = 0; i < shapes.size(); ++i) EXPECT_EQ(network.weights[i].first, shapes[i].first);
  }
}

TEST(StateDict, RowsFollowTheirSymbols) {
  const NamedTensors tensors = state_dict(Cell::gru, 1, "emb", "gru.", "fc");
  const TorchNetwork network = understood(tensors);
  EXPECT_EQ(network.vocabulary, Vocabulary(Tokens::chars, {U'\n', U'a', U'b', U'z', U'é'}));
  const std::vector<std::pair<const char*, const char*>> moved{
      {"emb.weight", "encoder.weight"}, {"fc.weight", "decoder.weight"}, {"fc.bias", "decoder.bias"}};
  for (const auto& [before, after] : moved)
    for (std::size_t i = 0; i < symbols.size(); ++i)
      EXPECT_TRUE(torch::equal(get(network.weights, after)[*network.vocabulary.id(symbols[i])],
                               get(tensors, before)[static_cast<std::int64_t>(i)]))
          << after << " " << i;
}

TEST(StateDict, OneHotInputGetsAnEmbedding) {
  NamedTensors tensors = state_dict(Cell::lstm, 1, "none", "lstm.", "fc", V);
  remove(tensors, "none.weight");
  const TorchNetwork network = understood(tensors);
  EXPECT_EQ(network.config.embedding, V);
  // 'b' was number 0.
  EXPECT_TRUE(torch::equal(get(network.weights, "encoder.weight")[*network.vocabulary.id(U'b')], torch::eye(V)[0]));
}

TEST(StateDict, WhatIsMissingByChoiceIsZero) {
  NamedTensors tensors = state_dict(Cell::lstm, 1, "emb", "lstm.", "fc");
  for (const char* name : {"lstm.bias_ih_l0", "lstm.bias_hh_l0", "fc.bias"}) remove(tensors, name);
  const TorchNetwork network = understood(tensors);
  for (const char* name : {"rnn.bias_ih_l0", "rnn.bias_hh_l0", "decoder.bias"})
    EXPECT_EQ(get(network.weights, name).abs().sum().item<float>(), 0) << name;
}

TEST(StateDict, DoublesBecomeFloats) {
  NamedTensors tensors = state_dict(Cell::rnn, 1, "emb", "rnn.", "fc");
  for (auto& [name, tensor] : tensors) tensor = tensor.to(torch::kDouble);
  understood(tensors);
  tensors[0].second = tensors[0].second * 1e300;
  expect_contains(refusal(tensors), "\"emb.weight\" contains NaN or infinity");
}

TEST(StateDict, LayersOfTheSameShapeAreToldApartByName) {
  // The embedding is as large as the hidden layer.
  const auto named = [](const char* embedding, const char* decoder) {
    return state_dict(Cell::gru, 1, embedding, "rnn.", decoder, H);
  };
  const auto expect = [](const NamedTensors& tensors, const std::string& embedding, const StateDictNames& names = {}) {
    EXPECT_TRUE(torch::equal(get(understood(tensors, names).weights, "encoder.weight")[1],
                             get(tensors, embedding + ".weight")[3]))
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
  NamedTensors tensors = state_dict(Cell::gru, 1, "emb", "a.", "fc");
  for (const auto& [name, tensor] : state_dict(Cell::gru, 1, "x", "b.", "y"))
    if (name.rfind("b.", 0) == 0) tensors.emplace_back(name, tensor);
  expect_contains(refusal(tensors), "2 recurrent networks: \"a.\", \"b.\"");
  expect_contains(refusal(tensors, {.rnn = "a"}), "\"b.bias_hh_l0\"");
  expect_contains(refusal(tensors, {.rnn = "c"}), "\"c.weight_ih_l0\"");
}

TEST(StateDict, RefusesWhatItIsNot) {
  const NamedTensors good = state_dict(Cell::lstm, 2, "emb", "rnn.", "fc");
  const auto with = [&](const std::string& name, const torch::Tensor& tensor) {
    NamedTensors all = good;
    remove(all, name);
    all.emplace_back(name, tensor);
    return refusal(all);
  };
  const auto without = [&](const std::string& name) {
    NamedTensors rest = good;
    remove(rest, name);
    return refusal(rest);
  };
  expect_contains(with("rnn.weight_ih_l0_reverse", torch::zeros({16, 3})), "bidirectional");
  expect_contains(with("rnn.weight_hr_l0", torch::zeros({2, 4})), "projection");
  expect_contains(with("rnn.weight_hh_l0", torch::zeros({8, 4})), "8 rows and 4 columns");
  expect_contains(with("rnn.weight_hh_l0", torch::zeros({0, 0})), "not a matrix");
  expect_contains(with("rnn.weight_ih_l1", torch::zeros({16, 8})), "rnn.weight_ih_l1");
  expect_contains(with("norm.weight", torch::zeros({4})), "no place for: \"norm.weight\" [4]");
  expect_contains(with("rnn.bias_ih_l1", torch::zeros({16}, torch::kInt64)), "another shape or type");
  expect_contains(with("fc.weight", torch::full({V, H}, std::numeric_limits<float>::quiet_NaN())), "fc.weight");
  expect_contains(with("fc.weight", torch::zeros({V + 1, H})), "as many rows");
  expect_contains(with("x\n\x1b.weight", torch::zeros({1})), "\"x\\n\\u001b.weight\"");
  expect_contains(without("rnn.bias_ih_l0"), "\"rnn.bias_ih_l0\" is missing");
  expect_contains(without("rnn.weight_hh_l1"), "\"rnn.weight_hh_l1\" is missing");
  expect_contains(without("rnn.weight_ih_l0"), "no tensor \"weight_ih_l0\"");
  expect_contains(without("emb.weight"), "for the embedding");
  expect_contains(without("fc.weight"), "for the decoder");
  expect_contains(refusal({{"cell.weight_ih", torch::zeros({16, 3})}}), "rename weight_ih");
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
