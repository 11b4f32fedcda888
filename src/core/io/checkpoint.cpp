#include "core/io/checkpoint.h"
#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/utf8.h"
#include "core/base/version.h"
#include "core/io/json_config.h"

namespace charnn {
namespace {
using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* format_name = "charnn-checkpoint-1";

constexpr const char* model_prefix = "model.";
constexpr const char* exp_avg_prefix = "optimizer.exp_avg.";
constexpr const char* exp_avg_sq_prefix = "optimizer.exp_avg_sq.";
constexpr const char* average_prefix = "average.";
constexpr std::string_view rng_prefix = "rng.";

/// Reads the parts of a checkpoint. A tensor is verified before memory of its size is allocated.
class CheckpointReader {
 public:
  CheckpointReader(const SafeTensors& file, std::string what) : file_(file), what_(std::move(what)) {}

  const std::string& metadata(const char* key) const {
    if (const std::string* text = file_.find_metadata(key)) return *text;
    fail_input(fmt::format("{}: no \"{}\" in its metadata", what_, key), "a checkpoint written by charnn",
               "give a run folder, or last.safetensors or best.safetensors in it");
  }

  /// The network that the config describes.
  NetworkLayout layout(std::int64_t vocabulary_size) const {
    ModelConfig model;
    const json config = parse_strict(metadata("config"));
    read_config(json{{"model", config.at("model")}}.dump(), what_ + " (its config)", {describe(model)});
    return {model, vocabulary_size};
  }

  /// One of the flat buffers; empty if it is `optional` and the file has none.
  std::vector<float> flat(const char* prefix, const NetworkLayout& layout, bool optional = false) {
    if (optional && file_.find(prefix + layout.encoder().name) == nullptr) return {};
    std::vector<float> all;
    for (const WeightInfo& weight : layout.weights()) {
      const std::vector<float> values = floats(prefix + weight.name, weight.shape);
      if (prefix == exp_avg_sq_prefix && std::any_of(values.begin(), values.end(), [](float v) { return v < 0; }))
        refuse(fmt::format("tensor {}{} has negative values", prefix, weight.name), "means of squares");
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  std::vector<std::int64_t> opening(const Vocabulary& vocabulary) const {
    const std::string* text = file_.find_metadata("opening");  // older ones have none
    if (text == nullptr) return {};
    auto ids = parse_strict(*text).get<std::vector<std::int64_t>>();
    if (std::any_of(ids.begin(), ids.end(), [&](std::int64_t id) { return id < 0 || id >= vocabulary.size(); }))
      refuse("opening: a symbol outside the vocabulary", "its symbols");
    return ids;
  }

  State state(const ModelConfig& config) {
    const Tensor* tensor = file_.find("state.h");
    const std::int64_t streams = tensor != nullptr && tensor->shape.size() == 3 ? tensor->shape[1] : 1;
    const std::vector<std::int64_t> shape{config.layers, streams, config.hidden};
    const std::vector<float> h = floats("state.h", shape);
    State state = State::zeros(config, streams);
    from_rows(h, state, state.h);
    if (state.has_c) from_rows(floats("state.c", shape), state, state.c);
    return state;
  }

  GeneratorStates generators() {
    GeneratorStates states;
    for (const Tensor& tensor : file_.tensors)
      if (tensor.name.starts_with(rng_prefix)) {
        used_.insert(tensor.name);
        states.emplace_back(tensor.name.substr(rng_prefix.size()), tensor.bytes);
      }
    return states;
  }

  void require_all_used() const {
    for (const Tensor& tensor : file_.tensors)
      if (!used_.contains(tensor.name))
        refuse(fmt::format("unknown tensor {}", json(tensor.name).dump(-1, ' ', true)),
               "the tensors of a charnn checkpoint");
  }

 private:
  [[noreturn]] void refuse(const std::string& found, const std::string& expected) const {
    fail_input(fmt::format("{}: {}", what_, found), expected,
               "the checkpoint is damaged or does not fit its own config; use another");
  }

  std::vector<float> floats(const std::string& name, const std::vector<std::int64_t>& shape) {
    used_.insert(name);
    const Tensor* tensor = file_.find(name);
    const std::string expected = fmt::format("32-bit floats of shape [{}]", fmt::join(shape, ", "));
    if (tensor == nullptr) refuse(fmt::format("tensor {} is missing", name), expected);
    if (tensor->dtype != Dtype::f32 || tensor->shape != shape)
      refuse(fmt::format("tensor {} has shape [{}]{}", name, fmt::join(tensor->shape, ", "),
                         tensor->dtype == Dtype::f32 ? "" : " and another type"),
             expected);
    std::vector<float> values = tensor->floats();
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      refuse(fmt::format("tensor {} contains NaN or infinity", name), "finite numbers");
    return values;
  }

  const SafeTensors& file_;
  std::string what_;
  std::set<std::string> used_;  ///< names of tensors
};

Checkpoint checkpoint_of(const SafeTensors& file, const std::string& what) {
  CheckpointReader reader(file, what);
  if (reader.metadata("format") != format_name)
    fail_input(fmt::format("{}: format \"{}\"", what, reader.metadata("format")), fmt::format("\"{}\"", format_name),
               "use the version of charnn that wrote it");
  reader.metadata("checksum");
  try {
    const Vocabulary vocabulary = vocabulary_from_json(parse_strict(reader.metadata("vocab")));
    const NetworkLayout layout = reader.layout(vocabulary.size());
    Checkpoint c{reader.metadata("config"),
                 vocabulary,
                 train_state_from_json(parse_strict(reader.metadata("train_state")), what),
                 layout,
                 reader.flat(model_prefix, layout),
                 reader.flat(exp_avg_prefix, layout, /*optional=*/true),
                 reader.flat(exp_avg_sq_prefix, layout, /*optional=*/true),
                 reader.state(layout.config()),
                 reader.generators(),
                 reader.flat(average_prefix, layout, /*optional=*/true),
                 reader.opening(vocabulary)};
    reader.require_all_used();
    if (c.exp_avg.empty() && c.exp_avg_sq.empty()) {  // weights alone: Adam starts anew
      c.exp_avg = c.exp_avg_sq = std::vector<float>(c.weights.size());
      c.train.optimizer_step = 0;
    }
    if (c.exp_avg.size() != c.weights.size() || c.exp_avg_sq.size() != c.weights.size())
      fail_input(what + ": one of Adam's moments is missing", "both or none", "the file is damaged; use another");
    return c;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {  // of JSON
    fail_input(fmt::format("{}: {}", what, error.what()), "metadata as charnn writes it",
               "the file is damaged; use another checkpoint");
  }
}
}  // namespace

std::vector<Tensor> weight_tensors(const std::string& prefix, const NetworkLayout& layout,
                                   std::span<const float> flat) {
  std::vector<Tensor> tensors;
  for (const WeightInfo& weight : layout.weights())
    tensors.push_back(
        {prefix + weight.name, Dtype::f32, weight.shape, bytes_of(flat.subspan(weight.offset, weight.size))});
  return tensors;
}

std::string encode_checkpoint(const Checkpoint& c) {
  std::vector<Tensor> tensors = weight_tensors(model_prefix, c.layout, c.weights);
  for (const auto& [prefix, flat] : {std::pair(exp_avg_prefix, &c.exp_avg), std::pair(exp_avg_sq_prefix, &c.exp_avg_sq),
                                     std::pair(average_prefix, &c.average)})
    if (!flat->empty()) std::ranges::move(weight_tensors(prefix, c.layout, *flat), std::back_inserter(tensors));
  const std::vector<std::int64_t> shape{c.state.layers, c.state.streams, c.state.hidden};
  tensors.push_back({"state.h", Dtype::f32, shape, bytes_of(to_rows(c.state, c.state.h))});
  if (c.state.has_c) tensors.push_back({"state.c", Dtype::f32, shape, bytes_of(to_rows(c.state, c.state.c))});
  for (const auto& [name, bytes] : c.generators)
    tensors.push_back({std::string(rng_prefix) + name, Dtype::u8, {static_cast<std::int64_t>(bytes.size())}, bytes});
  std::vector<std::pair<std::string, std::string>> metadata{{"format", format_name},
                                                            {"charnn_version", version},
                                                            {"config", c.config},
                                                            {"vocab", vocabulary_to_json(c.vocabulary).dump()},
                                                            {"train_state", train_state_to_json(c.train).dump()}};
  if (!c.opening.empty()) metadata.emplace_back("opening", json(c.opening).dump());
  return encode_safetensors(tensors, metadata);
}

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  write_file(path, encode_checkpoint(checkpoint));
}

Checkpoint load_checkpoint(const std::string& path) {
  return checkpoint_of(read_safetensors(path, "checkpoint"), "checkpoint " + path);
}

Checkpoint decode_checkpoint(std::string_view bytes, const std::string& what) {
  return checkpoint_of(decode_safetensors(bytes, what), what);
}

ordered_json vocabulary_to_json(const Vocabulary& vocabulary) {
  ordered_json value = {{"tokens", name_of(vocabulary.tokens(), token_names)}};
  if (vocabulary.tokens() == Tokens::bytes) return value;
  value["symbols"] = ordered_json::array();
  for (const char32_t symbol : vocabulary.symbols()) value["symbols"].push_back(encode_utf8(symbol));
  return value;
}

Vocabulary vocabulary_from_json(const json& value) {
  const json& tokens = value.at("tokens");
  if (tokens == "bytes") return Vocabulary::all_bytes();
  if (tokens != "chars") throw json::other_error::create(501, "tokens must be chars or bytes", nullptr);
  std::vector<char32_t> symbols;
  for (const std::string text : value.at("symbols")) {
    std::string_view rest = text;
    if (!text.empty() && !find_invalid_utf8(text)) symbols.push_back(take_code_point(rest));
    if (text.empty() || !rest.empty()) throw json::other_error::create(501, "a symbol is not one character", nullptr);
  }
  return {Tokens::chars, std::move(symbols)};
}
}  // namespace charnn
