#include "extras/pytorch/torch_state_dict.h"
#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/model/network_layout.h"

namespace charnn {
namespace {
using Shape = std::vector<std::int64_t>;
using Names = std::vector<std::string>;
using Weights = std::map<std::string, std::vector<float>>;  ///< by charnn's names

/// A name from a file that is not to be trusted.
std::string quoted(const std::string& name) {
  return nlohmann::json(name).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string listed(const Names& names) {
  Names texts;
  for (const std::string& name : names) texts.push_back(quoted(name));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string before_ending(const std::string& name, std::string_view ending) {
  return name.ends_with(ending) ? name.substr(0, name.size() - ending.size()) : name;
}

/// The tensors of a state_dict that have not been taken yet.
class Rest {
 public:
  Rest(const std::vector<Tensor>& tensors, std::string what) : what_(std::move(what)) {
    for (const Tensor& tensor : tensors) tensors_.emplace(tensor.name, &tensor);
  }

  const std::string& what() const { return what_; }
  bool has(const std::string& name) const { return tensors_.contains(name); }
  /// Those that begin and end so.
  Names named(const std::string& begin, std::string_view end) const {
    Names found;
    for (const auto& [name, tensor] : tensors_)
      if (name.starts_with(begin) && name.ends_with(end)) found.push_back(name);
    return found;
  }
  Names of_shape(const Shape& shape) const {
    Names found;
    for (const auto& [name, tensor] : tensors_)
      if (tensor->is_floating_point() && tensor->shape == shape) found.push_back(name);
    return found;
  }
  std::string all() const {
    Names texts;
    for (const auto& [name, tensor] : tensors_)
      texts.push_back(fmt::format("{} [{}]", quoted(name), fmt::join(tensor->shape, ", ")));
    return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
  }

  /// Rows and columns of a matrix, which stays.
  std::pair<std::int64_t, std::int64_t> matrix(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end() || found->second->shape.size() != 2 || found->second->bytes.empty())
      fail_input(
          fmt::format("{}: tensor {} is {}", what_, quoted(name), found == tensors_.end() ? "missing" : "no matrix"),
          "weight_ih and weight_hh of each layer, as PyTorch names them",
          "save the whole state_dict of an nn.RNN, nn.GRU or nn.LSTM");
    return {found->second->shape[0], found->second->shape[1]};
  }

  /// Hands out a tensor, as float, and forgets it.
  std::vector<float> take(const std::string& name, const Shape& shape) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end() || !found->second->is_floating_point() || found->second->shape != shape)
      fail_input(fmt::format("{}: tensor {} is {}", what_, quoted(name),
                             found == tensors_.end() ? "missing" : "of another shape or type"),
                 fmt::format("real numbers of shape [{}]", fmt::join(shape, ", ")),
                 "charnn has one hidden size for all layers, and as many rows as the vocabulary has symbols");
    std::vector<float> values = found->second->floats();
    if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }))
      fail_input(fmt::format("{}: tensor {} has values that are no finite float numbers", what_, quoted(name)),
                 "finite numbers", "take an earlier state of the network, from before it diverged");
    tensors_.erase(found);
    return values;
  }

 private:
  std::map<std::string, const Tensor*> tensors_;
  std::string what_;
};

/// What comes before "weight_ih_l0".
std::string find_rnn(const Rest& rest, const std::string& given) {
  constexpr std::string_view ending = "weight_ih_l0";
  Names prefixes;
  for (const std::string& name : rest.named("", ending))
    if (const std::string prefix = before_ending(name, ending);
        given.empty() || prefix == given || prefix == given + ".")
      prefixes.push_back(prefix);
  if (prefixes.size() == 1) return prefixes[0];
  if (prefixes.size() > 1)
    fail_input(fmt::format("{}: {} recurrent networks: {}", rest.what(), prefixes.size(), listed(prefixes)),
               "one nn.RNN, nn.GRU or nn.LSTM, whose layers lie on top of each other",
               "choose one of them with --rnn-name, and save the state_dict without the others");
  const bool cells = !rest.named("", "weight_ih").empty();
  fail_input(fmt::format("{}: no tensor {}, but {}", rest.what(),
                         quoted(given + (given.empty() ? "" : ".") + std::string(ending)), rest.all()),
             "the state_dict of a model with an nn.RNN, nn.GRU or nn.LSTM",
             cells ? "of nn.RNNCell, nn.GRUCell or nn.LSTMCell: in Python, rename weight_ih to weight_ih_l0, and so on"
                   : "save it in Python: safetensors.torch.save_file(model.state_dict(), FILE)");
}

/// Refuses by name what nn.RNN, nn.GRU and nn.LSTM can do and charnn cannot.
void require_plain(const Rest& rest, const std::string& prefix) {
  if (const Names found = rest.named(prefix, "_reverse"); !found.empty())
    fail_input(fmt::format("{}: bidirectional: {}", rest.what(), listed(found)),
               "a network that reads from left to right, as one that writes text must",
               "train it without bidirectional=True");
  if (const Names found = rest.named(prefix + "weight_hr_l", ""); !found.empty())
    fail_input(fmt::format("{}: an LSTM with a projection: {}", rest.what(), listed(found)),
               "a state as large as the hidden layer", "train it without proj_size");
}

Cell cell_of(const Rest& rest, const std::string& weight_hh) {
  const auto [rows, H] = rest.matrix(weight_hh);
  for (const Cell cell : {Cell::rnn, Cell::gru, Cell::lstm})
    if (rows == gate_count(cell) * H) return cell;
  fail_input(fmt::format("{}: tensor {} has {} rows and {} columns", rest.what(), quoted(weight_hh), rows, H),
             "1 (rnn), 3 (gru) or 4 (lstm) times as many rows as columns",
             "charnn knows the cells of nn.RNN, nn.GRU and nn.LSTM");
}

/// Takes the recurrent layers; returns their weights by charnn's names, and sets what they say of `config`
/// (`embedding`: the input's size).
Weights take_rnn(Rest& rest, const std::string& prefix, ModelConfig& config) {
  require_plain(rest, prefix);
  const auto name = [&](const char* kind, std::int64_t l) { return fmt::format("{}{}_l{}", prefix, kind, l); };
  config.cell = cell_of(rest, name("weight_hh", 0));
  config.hidden = rest.matrix(name("weight_hh", 0)).second;
  config.embedding = rest.matrix(name("weight_ih", 0)).second;
  const std::int64_t H = config.hidden, rows = gate_count(config.cell) * H;
  Weights weights;
  for (config.layers = 0; rest.has(name("weight_ih", config.layers)); ++config.layers) {
    const std::int64_t l = config.layers;
    const auto take = [&](const char* kind, const Shape& shape) {
      weights.emplace(fmt::format("rnn.{}_l{}", kind, l), rest.take(name(kind, l), shape));
    };
    take("weight_ih", {rows, l == 0 ? config.embedding : H});
    take("weight_hh", {rows, H});
    const bool unbiased = !rest.has(name("bias_ih", l)) && !rest.has(name("bias_hh", l));  // bias=False
    for (const char* kind : {"bias_ih", "bias_hh"})
      if (unbiased)
        weights.emplace(fmt::format("rnn.{}_l{}", kind, l), std::vector<float>(static_cast<std::size_t>(rows)));
      else
        take(kind, {rows});
  }
  return weights;
}

/// A layer before or after the recurrent ones.
struct Role {
  const char* name;
  const char* option;
  std::string given;
  Names usual;  ///< parts of names that such layers usually have
};

bool usual_for(const Role& role, std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(role.usual.begin(), role.usual.end(),
                     [&](const std::string& part) { return name.find(part) != std::string::npos; });
}

/// The weight in that role: the one given; the only one of its shape; the one with a usual name; the one without a name
/// that is usual for the other role. Nothing if no weight has the shape.
std::optional<std::string> find_weight(const Rest& rest, const Role& role, const Role& other, const Shape& shape,
                                       const std::string& taken) {
  const Names fitting = rest.of_shape(shape);
  Names candidates, usual, left;
  for (const std::string& name : fitting) {
    if (!role.given.empty() && (name == role.given || name == role.given + ".weight")) return name;
    if (name == taken) continue;
    candidates.push_back(name);
    if (usual_for(role, name))
      usual.push_back(name);
    else if (!usual_for(other, name))
      left.push_back(name);
  }
  if (!role.given.empty())
    fail_input(fmt::format("{} {}: {} has no such tensor of shape [{}]", role.option, quoted(role.given), rest.what(),
                           fmt::join(shape, ", ")),
               fitting.empty() ? "a tensor of that shape" : "one of " + listed(fitting),
               fmt::format("what has not been used yet: {}", rest.all()));
  for (const Names& names : {candidates, usual, left})
    if (names.size() == 1) return names[0];
  if (candidates.empty()) return std::nullopt;
  fail_input(
      fmt::format("{}: {} tensors could be the {}: {}", rest.what(), candidates.size(), role.name, listed(candidates)),
      "one, or names that tell", fmt::format("choose one of them with {}", role.option));
}

/// The embedding of one-hot input.
std::vector<float> one_hot_rows(std::int64_t V) {
  std::vector<float> rows(static_cast<std::size_t>(V * V));
  for (std::int64_t i = 0; i < V; ++i) rows[static_cast<std::size_t>(i * V + i)] = 1;
  return rows;
}

/// Takes the weight and bias of the decoder.
Weights take_decoder(Rest& rest, const std::string& weight, std::int64_t V, std::int64_t H) {
  Weights taken{{"decoder.weight", rest.take(weight, {V, H})}};
  std::string bias = before_ending(weight, "weight") + "bias";
  if (const Names vectors = rest.of_shape({V}); !rest.has(bias) && vectors.size() == 1) bias = vectors[0];
  taken.emplace("decoder.bias",
                rest.has(bias) ? rest.take(bias, {V}) : std::vector<float>(static_cast<std::size_t>(V)));
  return taken;
}

/// Takes what is before and after the recurrent layers.
Weights take_ends(Rest& rest, const StateDictNames& names, std::int64_t V, const ModelConfig& config) {
  const Role embedding{"embedding", "--embedding-name", names.embedding, {"emb", "encoder", "wte"}};
  const Role decoder{"decoder", "--decoder-name", names.decoder, {"decoder", "fc", "linear", "head", "out", "proj"}};
  const Shape rows{V, config.embedding}, columns{V, config.hidden};
  std::optional<std::string> after, before;
  if (!names.decoder.empty()) after = find_weight(rest, decoder, embedding, columns, "");
  before = find_weight(rest, embedding, decoder, rows, after.value_or(""));
  const bool one_hot = config.embedding == V;
  // With one-hot input a single [V, V] is the decoder, unless its name says otherwise.
  if (one_hot && before && rows == columns && rest.of_shape(rows).size() == 1 && names.embedding.empty() &&
      !usual_for(embedding, *before))
    before.reset();
  if (!after) after = find_weight(rest, decoder, embedding, columns, before.value_or(""));
  const auto missing = [&](const Role& role, const Shape& shape, const char* cure) {
    fail_input(fmt::format("{}: no tensor of shape [{}] for the {}, but {}", rest.what(), fmt::join(shape, ", "),
                           role.name, rest.all()),
               fmt::format("as many rows as the vocabulary has symbols, {}", V), cure);
  };
  constexpr std::int64_t most_one_hot = 1 << 13;  // rows and columns of the embedding that is made for it
  if (!before && one_hot && V > most_one_hot)
    fail_input(fmt::format("{}: one-hot input of {} symbols", rest.what(), V), fmt::format("at most {}", most_one_hot),
               "train it with an nn.Embedding");
  if (!before && !one_hot)
    missing(embedding, rows, "give the vocabulary that it was trained with (a line break at a file's end counts)");
  if (!after)
    missing(decoder, columns,
            "give the vocabulary that it was trained with (a line break at a file's end counts); weights shared with "
            "the embedding must be saved twice");
  Weights ends = take_decoder(rest, *after, V, config.hidden);
  ends.emplace("encoder.weight", before ? rest.take(*before, rows) : one_hot_rows(V));
  return ends;
}
}  // namespace

ImportedNetwork from_state_dict(const std::vector<Tensor>& tensors, const std::vector<char32_t>& symbols,
                                const StateDictNames& names, const std::string& what) {
  Rest rest(tensors, what);
  ModelConfig config;
  Weights weights = take_rnn(rest, find_rnn(rest, names.rnn), config);
  for (Field& field : describe(config).fields)
    assign(field, field.get(), fmt::format("{}: model.{}", what, field.name));
  Weights ends = take_ends(rest, names, static_cast<std::int64_t>(symbols.size()), config);
  if (const std::string left = rest.all(); left != "none")
    fail_input(fmt::format("{}: tensors that charnn has no place for: {}", what, left),
               "an embedding, recurrent layers, one linear layer, and nothing else",
               "a network with more than these (a norm, attention, a second linear layer) cannot be imported; what it "
               "does not need, leave out when saving the state_dict");

  std::vector<std::int64_t> order(symbols.size());  // of the rows, so that symbols ascend
  std::iota(order.begin(), order.end(), 0);
  const auto symbol = [&](std::int64_t i) { return symbols[static_cast<std::size_t>(i)]; };
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return symbol(a) < symbol(b); });
  std::vector<char32_t> ascending;
  ascending.reserve(order.size());
  for (const std::int64_t i : order) ascending.push_back(symbol(i));
  weights.merge(ends);
  const NetworkLayout layout(config, static_cast<std::int64_t>(symbols.size()));
  std::vector<float> flat(static_cast<std::size_t>(layout.size()));
  for (const WeightInfo& weight : layout.weights()) {
    const std::vector<float>& values = weights.at(weight.name);
    float* out = flat.data() + weight.offset;
    if (weight.name.starts_with("rnn.")) {
      std::copy(values.begin(), values.end(), out);
      continue;
    }
    const std::int64_t width = weight.size / weight.shape[0];  // a row a symbol
    for (const std::int64_t row : order) out = std::copy_n(values.data() + row * width, width, out);
  }
  return {config, Vocabulary(Tokens::chars, std::move(ascending)), std::move(flat)};
}
}  // namespace charnn
