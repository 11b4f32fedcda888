#include "core/io/checkpoint.h"

#include <ATen/Context.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/version.h"
#include "core/io/strict_json.h"
#include "core/io/vocabulary_json.h"

namespace charnn {
namespace {

using nlohmann::json;

constexpr const char* format_name = "charnn-checkpoint-1";

/// "model." + name for all of `part`.
void append(NamedTensors& all, const std::string& prefix, const NamedTensors& part) {
  for (const auto& [name, tensor] : part) all.emplace_back(prefix + name, tensor);
}

/// The tensors whose name begins with `prefix`, without it.
NamedTensors with_prefix(const NamedTensors& all, const std::string& prefix) {
  NamedTensors part;
  for (const auto& [name, tensor] : all)
    if (name.rfind(prefix, 0) == 0) part.emplace_back(name.substr(prefix.size()), tensor);
  return part;
}

/// Throws Error (usage) for a tensor that is no part of a checkpoint, or holds what training never makes.
void require_sound(const NamedTensors& tensors, const std::string& what) {
  constexpr const char* damaged = "the file is damaged; use another checkpoint";
  for (const auto& [name, tensor] : tensors) {
    const auto begins = [&, &name = name](std::string_view prefix) { return name.rfind(prefix, 0) == 0; };
    if (!begins("model.") && !begins("optimizer.exp_avg.") && !begins("optimizer.exp_avg_sq.") && !begins("rng.") &&
        name != "state.h" && name != "state.c")
      fail_input(fmt::format("{}: unknown tensor {}", what, json(name).dump(-1, ' ', true)),
                 "the tensors of a charnn checkpoint", damaged);
    if (tensor.is_floating_point() && !tensor.isfinite().all().item<bool>())
      fail_input(fmt::format("{}: tensor {} has values that are no finite numbers", what, name), "finite numbers",
                 damaged);
    if (begins("optimizer.exp_avg_sq.") && tensor.lt(0).any().item<bool>())
      fail_input(fmt::format("{}: tensor {} has negative values", what, name), "means of squares", damaged);
  }
}

at::Generator generator(torch::Device device) { return at::globalContext().defaultGenerator(device); }

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& c) {
  NamedTensors tensors;
  append(tensors, "model.", c.model);
  append(tensors, "optimizer.exp_avg.", c.exp_avg);
  append(tensors, "optimizer.exp_avg_sq.", c.exp_avg_sq);
  tensors.emplace_back("state.h", c.state.h);
  if (c.state.c.defined()) tensors.emplace_back("state.c", c.state.c);
  append(tensors, "rng.", c.rng);
  write_file(path, encode_safetensors(tensors, {{"format", format_name},
                                                {"charnn_version", version},
                                                {"config", c.config},
                                                {"vocab", vocabulary_to_json(c.vocabulary).dump()},
                                                {"train_state", train_state_to_json(c.train).dump()}}));
}

Checkpoint load_checkpoint(const std::string& path) {
  const SafeTensors file = read_safetensors(path, "checkpoint");
  const auto metadata = [&](const char* key) -> const std::string& {
    if (const std::string* text = file.find_metadata(key)) return *text;
    fail_input(fmt::format("checkpoint {}: no \"{}\" in its metadata", path, key), "a checkpoint written by charnn",
               "name a run folder, or the last.safetensors or best.safetensors in it");
  };
  if (metadata("format") != format_name)
    fail_input(fmt::format("checkpoint {}: format \"{}\"", path, metadata("format")),
               fmt::format("\"{}\"", format_name), "use the charnn version that wrote it");
  metadata("checksum");
  require_sound(file.tensors, "checkpoint " + path);
  try {
    Checkpoint c{metadata("config"),
                 vocabulary_from_json(parse_strict(metadata("vocab"))),
                 train_state_from_json(parse_strict(metadata("train_state"))),
                 with_prefix(file.tensors, "model."),
                 with_prefix(file.tensors, "optimizer.exp_avg."),
                 with_prefix(file.tensors, "optimizer.exp_avg_sq."),
                 {},
                 with_prefix(file.tensors, "rng.")};
    for (const auto& [name, tensor] : with_prefix(file.tensors, "state."))
      (name == "h" ? c.state.h : c.state.c) = tensor;
    return c;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {  // of JSON, of a number's text
    fail_input(fmt::format("checkpoint {}: {}", path, error.what()), "metadata as charnn writes it",
               "the file is damaged; use another checkpoint");
  }
}

NamedTensors capture_rng(torch::Device device) {
  NamedTensors rng{{"torch_cpu", generator(torch::kCPU).get_state()}};
  if (device.is_cuda()) rng.emplace_back("torch_cuda", generator(device).get_state());
  return rng;
}

void restore_rng(const NamedTensors& rng, torch::Device device) {
  for (const auto& [name, tensor] : rng) {
    const bool cuda = name == "torch_cuda";
    if (cuda && !device.is_cuda()) continue;  // the run has moved to a CPU
    try {
      generator(cuda ? device : torch::Device(torch::kCPU)).set_state(tensor);
    } catch (const c10::Error&) {
      fail_input(fmt::format("checkpoint: generator state rng.{} of {} bytes", name, tensor.numel()),
                 "the state of this LibTorch's generator",
                 "resume with the LibTorch version that wrote it, or start a new run with --init-from");
    }
  }
}

}  // namespace charnn
