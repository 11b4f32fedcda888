#include "extras/pytorch/torch_state_dict.h"
#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>
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

/// Quotes a name from an untrusted file.
std::string quote(const std::string& name) {
  return nlohmann::json(name).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string listed(Names names) {
  for (std::string& name : names) name = quote(name);
  return fmt::format("{}", fmt::join(names, ", "));
}

/// The tensors of a state_dict that have not been taken yet.
class StateDict {
 public:
  StateDict(const std::vector<Tensor>& tensors, std::string what) : what_(std::move(what)) {
    for (const Tensor& tensor : tensors) tensors_.emplace(tensor.name, &tensor);
  }

  [[noreturn]] void fail(const std::string& found, const std::string& expected, const std::string& hint) const {
    fail_input(what_ + ": " + found, expected, hint);
  }

  bool empty() const { return tensors_.empty(); }
  bool has(const std::string& name) const { return tensors_.contains(name); }
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
  std::string list() const {
    Names texts;
    for (const auto& [name, tensor] : tensors_) texts.push_back(fmt::format("{} {}", quote(name), tensor->shape));
    return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, ", "));
  }

  /// Rows and columns of a matrix.
  std::pair<std::int64_t, std::int64_t> matrix_shape(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end() || found->second->shape.size() != 2 || found->second->bytes.empty())
      fail(fmt::format("tensor {} is {}", quote(name), found == tensors_.end() ? "missing" : "not a matrix"),
           "weight_ih and weight_hh of every layer", "save the whole state_dict of the network");
    return {found->second->shape[0], found->second->shape[1]};
  }

  std::vector<float> take(const std::string& name, const Shape& shape) {
    const auto found = tensors_.find(name);
    const bool missing = found == tensors_.end();
    if (missing || !found->second->is_floating_point() || found->second->shape != shape)
      fail(fmt::format("tensor {} {}", quote(name), missing ? "is missing" : "has another shape or type"),
           fmt::format("floats of shape {}", shape),
           "every layer needs the same hidden size, embedding and decoder as many rows as the vocabulary has symbols");

    std::vector<float> values = found->second->floats();
    if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }))
      fail(fmt::format("tensor {} contains NaN or infinity", quote(name)), "finite numbers",
           "take an earlier state of the network, from before it diverged");
    tensors_.erase(found);
    return values;
  }

 private:
  std::map<std::string, const Tensor*> tensors_;
  std::string what_;
};

/// The prefix of "weight_ih_l0".
std::string find_rnn(const StateDict& dict, const std::string& given) {
  constexpr std::string_view ending = "weight_ih_l0";
  Names prefixes = dict.named("", ending);
  for (std::string& name : prefixes) name.resize(name.size() - ending.size());
  if (!given.empty()) std::erase_if(prefixes, [&](const std::string& p) { return p != given && p != given + "."; });
  if (prefixes.size() == 1) return prefixes[0];
  if (prefixes.size() > 1)
    dict.fail(fmt::format("{} recurrent networks: {}", prefixes.size(), listed(prefixes)),
              "one nn.RNN, nn.GRU or nn.LSTM", "choose one with --rnn-name, and save the state_dict without the rest");
  dict.fail(
      fmt::format("no tensor {}, but {}", quote(given + (given.empty() ? "" : ".") + std::string(ending)), dict.list()),
      "the state_dict of a model with an nn.RNN, nn.GRU or nn.LSTM",
      dict.named("", "weight_ih").empty()
          ? "save it in Python: safetensors.torch.save_file(model.state_dict(), FILE)"
          : "for nn.RNNCell, nn.GRUCell or nn.LSTMCell: in Python, rename weight_ih to weight_ih_l0, and so on");
}

/// The network's sizes, from the shapes of its recurrent weights.
ModelConfig config_of(const StateDict& dict, const std::string& prefix) {
  if (const Names found = dict.named(prefix, "_reverse"); !found.empty())
    dict.fail("bidirectional: " + listed(found), "a network that reads left to right",
              "train it without bidirectional=True");
  if (const Names found = dict.named(prefix + "weight_hr_l", ""); !found.empty())
    dict.fail("an LSTM with a projection: " + listed(found), "no projection", "train it without proj_size");
  const std::string weight_hh = prefix + "weight_hh_l0";
  const auto [rows, hidden] = dict.matrix_shape(weight_hh);
  ModelConfig config{.layers = 0, .hidden = hidden};
  config.embedding = dict.matrix_shape(prefix + "weight_ih_l0").second;
  while (dict.has(fmt::format("{}weight_ih_l{}", prefix, config.layers))) ++config.layers;
  config.cell = rows == hidden ? Cell::rnn : rows == 3 * hidden ? Cell::gru : Cell::lstm;
  if (rows != gate_count(config.cell) * hidden)
    dict.fail(fmt::format("tensor {} has {} rows and {} columns", quote(weight_hh), rows, hidden),
              "1 (rnn), 3 (gru) or 4 (lstm) times as many rows as columns", "use nn.RNN, nn.GRU or nn.LSTM");
  return config;
}

Weights take_rnn(StateDict& dict, const std::string& prefix, const NetworkLayout& layout) {
  using Part = NetworkLayout::Part;
  Weights weights;
  for (std::int64_t l = 0; l < layout.config().layers; ++l) {
    const bool biased = !dict.named(prefix + "bias_", fmt::format("_l{}", l)).empty();  // false: bias=False
    for (const Part part : {Part::weight_ih, Part::weight_hh, Part::bias_ih, Part::bias_hh}) {
      const WeightInfo& weight = layout.rnn(l, part);
      const std::string name = prefix + weight.name.substr(std::string_view("rnn.").size());
      const bool is_bias = part == Part::bias_ih || part == Part::bias_hh;
      weights[weight.name] = is_bias && !biased ? std::vector<float>(weight.size) : dict.take(name, weight.shape);
    }
  }
  return weights;
}

/// A layer before or after the recurrent ones.
struct Role {
  std::string name;
  std::string given;  ///< value of its option
  Names usual;        ///< parts of names that such layers usually have

  std::string option() const { return "--" + name + "-name"; }
  bool usual_for(std::string tensor) const {
    std::transform(tensor.begin(), tensor.end(), tensor.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return std::any_of(usual.begin(), usual.end(),
                       [&](const std::string& part) { return tensor.find(part) != std::string::npos; });
  }
};

/// The weight in that role: the one given; else the only one of its shape; else the only one with a usual name; else
/// the only one without a name that is usual for the other role. Empty if no weight has the shape.
std::string find_weight(const StateDict& dict, const Role& role, const Role& other, const Shape& shape,
                        const std::string& taken) {
  Names candidates = dict.of_shape(shape);
  if (!role.given.empty()) {
    for (const std::string& name : candidates)
      if (name == role.given || name == role.given + ".weight") return name;
    dict.fail(fmt::format("{} {}: no such tensor of shape {}", role.option(), quote(role.given), shape),
              candidates.empty() ? "a tensor of that shape" : "one of " + listed(candidates),
              "tensors not used yet: " + dict.list());
  }
  std::erase(candidates, taken);
  Names usual = candidates, free = candidates;
  std::erase_if(usual, [&](const std::string& name) { return !role.usual_for(name); });
  std::erase_if(free, [&](const std::string& name) { return other.usual_for(name); });
  for (const Names& names : {candidates, usual, free})
    if (names.size() == 1) return names[0];
  if (candidates.empty()) return "";
  dict.fail(fmt::format("{} tensors could be the {}: {}", candidates.size(), role.name, listed(candidates)),
            "one, or names that decide", fmt::format("choose one of them with {}", role.option()));
}

/// Takes what is before and after the recurrent layers.
void take_ends(StateDict& dict, const StateDictNames& names, const NetworkLayout& layout, Weights& weights) {
  const Role embedding{"embedding", names.embedding, {"emb", "encoder", "wte"}};
  const Role decoder{"decoder", names.decoder, {"decoder", "fc", "linear", "head", "out", "proj"}};
  const Shape &rows = layout.encoder().shape, &columns = layout.decoder_weight().shape;
  const std::int64_t V = layout.vocabulary_size();
  const bool may_be_one_hot = layout.config().embedding == V;
  std::string before, after;
  if (!names.decoder.empty()) after = find_weight(dict, decoder, embedding, columns, "");
  before = find_weight(dict, embedding, decoder, rows, after);
  // With one-hot input a single [V, V] is the decoder, unless its name says otherwise.
  if (may_be_one_hot && rows == columns && dict.of_shape(rows).size() == 1 && names.embedding.empty() &&
      !embedding.usual_for(before))
    before.clear();
  if (after.empty()) after = find_weight(dict, decoder, embedding, columns, before);
  const auto require = [&](const Role& role, const std::string& found, const Shape& shape) {
    if (found.empty())
      dict.fail(fmt::format("no tensor of shape {} for the {}, but {}", shape, role.name, dict.list()),
                fmt::format("as many rows as the vocabulary has symbols, {}", V),
                "give the vocabulary it was trained with (a trailing newline in the file counts); save weights shared "
                "by embedding and decoder twice");
  };
  if (!may_be_one_hot) require(embedding, before, rows);
  require(decoder, after, columns);
  constexpr std::int64_t most_one_hot = 1 << 13;  // rows and columns of the identity matrix
  if (before.empty() && V > most_one_hot)
    dict.fail(fmt::format("one-hot input of {} symbols", V), fmt::format("at most {}", most_one_hot),
              "use an nn.Embedding");

  weights["decoder.weight"] = dict.take(after, columns);
  std::string bias = after.substr(0, after.rfind("weight")) + "bias";
  if (const Names vectors = dict.of_shape({V}); !dict.has(bias) && vectors.size() == 1) bias = vectors[0];
  weights["decoder.bias"] = dict.has(bias) ? dict.take(bias, {V}) : std::vector<float>(V);
  std::vector<float>& encoder = weights["encoder.weight"];
  encoder.resize(before.empty() ? V * V : 0);
  for (std::size_t i = 0; i < encoder.size(); i += V + 1) encoder[i] = 1;
  if (!before.empty()) encoder = dict.take(before, rows);
}
}  // namespace

ImportedNetwork from_state_dict(const std::vector<Tensor>& tensors, const std::vector<char32_t>& symbols,
                                const StateDictNames& names, const std::string& what) {
  StateDict dict(tensors, what);
  const std::string prefix = find_rnn(dict, names.rnn);
  ModelConfig config = config_of(dict, prefix);
  for (Field& field : describe(config).fields)
    assign(field, field.get(), fmt::format("{}: model.{}", what, field.name));
  const NetworkLayout layout(config, std::ssize(symbols));
  Weights weights = take_rnn(dict, prefix, layout);
  take_ends(dict, names, layout, weights);
  if (!dict.empty())
    dict.fail("tensors that charnn has no place for: " + dict.list(),
              "an embedding, recurrent layers and one linear layer",
              "networks with more than these (norms, attention, ...) cannot be imported; do not save unused tensors");

  std::vector<std::size_t> order(symbols.size());  // of the rows, so that symbols ascend
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return symbols[a] < symbols[b]; });
  std::vector<char32_t> ascending;
  for (const std::size_t row : order) ascending.push_back(symbols[row]);
  std::vector<float> flat(layout.size());
  for (const WeightInfo& weight : layout.weights()) {
    const std::vector<float>& values = weights.at(weight.name);
    float* out = flat.data() + weight.offset;
    const std::int64_t width = weight.size / weight.shape[0];
    if (weight.name.starts_with("rnn."))
      std::copy(values.begin(), values.end(), out);
    else
      for (const std::size_t row : order) out = std::copy_n(values.data() + row * width, width, out);
  }
  return {config, Vocabulary(Tokens::chars, std::move(ascending)), std::move(flat)};
}
}  // namespace charnn
