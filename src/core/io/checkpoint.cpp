#include "core/io/checkpoint.h"
#include <algorithm>
#include <cmath>
#include <string_view>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/version.h"
#include "core/io/json_config.h"
#include "core/io/safetensors.h"
#include "core/io/strict_json.h"
#include "core/io/vocabulary_json.h"

namespace charnn {
namespace {
using nlohmann::json;

constexpr const char* format_name = "charnn-checkpoint-1";

// The order of the tensors in the file.
constexpr const char* model_prefix = "model.";
constexpr const char* exp_avg_prefix = "optimizer.exp_avg.";
constexpr const char* exp_avg_sq_prefix = "optimizer.exp_avg_sq.";
constexpr const char* rng_prefix = "rng.";

/// Reads the parts of a checkpoint, each tensor once.
class CheckpointReader {
 public:
  CheckpointReader(const SafeTensors& file, std::string what) : file_(file), what_(std::move(what)) {}

  const std::string& metadata(const char* key) const {
    if (const std::string* text = file_.find_metadata(key)) return *text;
    fail_input(fmt::format("{}: no \"{}\" in its metadata", what_, key), "a checkpoint written by charnn",
               "name a run folder, or the last.safetensors or best.safetensors in it");
  }

  /// The network that the config describes.
  NetworkLayout layout(std::int64_t vocabulary_size) const {
    ModelConfig model;
    const json config = parse_strict(metadata("config"));
    read_config(json{{"model", config.at("model")}}.dump(), what_ + " (its config)", {describe(model)});
    return {model, vocabulary_size};
  }

  std::vector<float> flat(const char* prefix, const NetworkLayout& layout) {
    for (const WeightInfo& weight : layout.weights())
      find(prefix + weight.name, weight.shape);  // before any memory is taken
    std::vector<float> all(static_cast<std::size_t>(layout.size()));
    for (const WeightInfo& weight : layout.weights()) {
      const Tensor& tensor = find(prefix + weight.name, weight.shape);
      const std::vector<float> values = floats(tensor);
      if (prefix == exp_avg_sq_prefix && std::any_of(values.begin(), values.end(), [](float v) { return v < 0; }))
        refuse(fmt::format("tensor {} has negative values", tensor.name), "means of squares");
      std::copy(values.begin(), values.end(), all.begin() + weight.offset);
      ++used_;
    }
    return all;
  }

  State state(const ModelConfig& config) {
    const Tensor* h = file_.find("state.h");
    const std::int64_t streams = h != nullptr && h->shape.size() == 3 ? h->shape[1] : 1;
    const std::vector<std::int64_t> shape{config.layers, streams, config.hidden};
    find("state.h", shape);
    State state = State::zeros(config, streams);
    const auto read = [&](const char* name, AlignedFloats& part) {
      from_rows(floats(find(name, shape)), state, part);
      ++used_;
    };
    read("state.h", state.h);
    if (state.has_c) read("state.c", state.c);
    return state;
  }

  GeneratorStates generators() {
    GeneratorStates states;
    for (const Tensor& tensor : file_.tensors)
      if (tensor.name.starts_with(rng_prefix))
        states.emplace_back(tensor.name.substr(std::string_view(rng_prefix).size()), tensor.bytes);
    used_ += states.size();
    return states;
  }

  void require_all_used() const {
    if (used_ != file_.tensors.size())
      refuse(fmt::format("{} tensors", file_.tensors.size()), fmt::format("{} tensors", used_));
  }

  /// Throws Error (usage) for a tensor that no checkpoint has.
  void require_known_names() const {
    for (const Tensor& tensor : file_.tensors)
      if (!tensor.name.starts_with(model_prefix) && !tensor.name.starts_with(exp_avg_prefix) &&
          !tensor.name.starts_with(exp_avg_sq_prefix) && !tensor.name.starts_with(rng_prefix) &&
          tensor.name != "state.h" && tensor.name != "state.c")
        refuse(fmt::format("unknown tensor {}", json(tensor.name).dump(-1, ' ', true)),
               "the tensors of a charnn checkpoint");
  }

 private:
  [[noreturn]] void refuse(const std::string& found, const std::string& expected) const {
    fail_input(fmt::format("{}: {}", what_, found), expected,
               "the checkpoint is damaged or does not fit its own config; use another");
  }

  const Tensor& find(const std::string& name, const std::vector<std::int64_t>& shape) const {
    const Tensor* tensor = file_.find(name);
    const std::string expected = fmt::format("32-bit floats of shape [{}]", fmt::join(shape, ", "));
    if (tensor == nullptr) refuse(fmt::format("tensor {} is missing", name), expected);
    if (tensor->dtype != Dtype::f32 || tensor->shape != shape)
      refuse(fmt::format("tensor {} has shape [{}]{}", name, fmt::join(tensor->shape, ", "),
                         tensor->dtype == Dtype::f32 ? "" : " and another type"),
             expected);
    return *tensor;
  }

  std::vector<float> floats(const Tensor& tensor) const {
    std::vector<float> values = tensor.floats();
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      refuse(fmt::format("tensor {} contains NaN or infinity", tensor.name), "finite numbers");
    return values;
  }

  const SafeTensors& file_;
  std::string what_;
  std::size_t used_ = 0;  ///< tensors
};
}  // namespace

std::vector<Tensor> weight_tensors(const std::string& prefix, const NetworkLayout& layout,
                                   std::span<const float> flat) {
  std::vector<Tensor> tensors;
  for (const WeightInfo& weight : layout.weights())
    tensors.push_back(
        {prefix + weight.name, Dtype::f32, weight.shape,
         bytes_of(flat.subspan(static_cast<std::size_t>(weight.offset), static_cast<std::size_t>(weight.size)))});
  return tensors;
}

void save_checkpoint(const std::string& path, const Checkpoint& c) {
  std::vector<Tensor> tensors;
  const auto append = [&](const char* prefix, const std::vector<float>& flat) {
    for (Tensor& tensor : weight_tensors(prefix, c.layout, flat)) tensors.push_back(std::move(tensor));
  };
  append(model_prefix, c.weights);
  append(exp_avg_prefix, c.exp_avg);
  append(exp_avg_sq_prefix, c.exp_avg_sq);
  const std::vector<std::int64_t> shape{c.state.layers, c.state.streams, c.state.hidden};
  tensors.push_back({"state.h", Dtype::f32, shape, bytes_of(to_rows(c.state, c.state.h))});
  if (c.state.has_c) tensors.push_back({"state.c", Dtype::f32, shape, bytes_of(to_rows(c.state, c.state.c))});
  for (const auto& [name, bytes] : c.generators)
    tensors.push_back({rng_prefix + name, Dtype::u8, {static_cast<std::int64_t>(bytes.size())}, bytes});
  write_file(path, encode_safetensors(tensors, {{"format", format_name},
                                                {"charnn_version", version},
                                                {"config", c.config},
                                                {"vocab", vocabulary_to_json(c.vocabulary).dump()},
                                                {"train_state", train_state_to_json(c.train).dump()}}));
}

Checkpoint load_checkpoint(const std::string& path) {
  const std::string what = "checkpoint " + path;
  const SafeTensors file = read_safetensors(path, "checkpoint");
  CheckpointReader reader(file, what);
  if (reader.metadata("format") != format_name)
    fail_input(fmt::format("{}: format \"{}\"", what, reader.metadata("format")), fmt::format("\"{}\"", format_name),
               "use the charnn version that wrote it");
  reader.metadata("checksum");
  reader.require_known_names();
  try {
    const Vocabulary vocabulary = vocabulary_from_json(parse_strict(reader.metadata("vocab")));
    const NetworkLayout layout = reader.layout(vocabulary.size());
    Checkpoint c{reader.metadata("config"),
                 vocabulary,
                 train_state_from_json(parse_strict(reader.metadata("train_state")), what),
                 layout,
                 reader.flat(model_prefix, layout),
                 reader.flat(exp_avg_prefix, layout),
                 reader.flat(exp_avg_sq_prefix, layout),
                 reader.state(layout.config()),
                 reader.generators()};
    reader.require_all_used();
    return c;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {  // of JSON, of a number's text
    fail_input(fmt::format("{}: {}", what, error.what()), "metadata as charnn writes it",
               "the file is damaged; use another checkpoint");
  }
}
}  // namespace charnn
