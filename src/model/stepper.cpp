#include "charnn/model/stepper.h"

#include <map>

#include <fmt/format.h>

namespace charnn {
namespace {

std::vector<float> floats(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().to(torch::kCPU, torch::kFloat).contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

}  // namespace

Stepper::Stepper(const CharRnn& model) : config_(model.config()) {
  std::map<std::string, torch::Tensor> weights;
  for (auto& [name, tensor] : model.weights()) weights.emplace(name, tensor);
  encoder_ = floats(weights.at("encoder.weight"));
  for (std::int64_t l = 0; l < config_.layers; ++l) {
    const auto of_layer = [&](const char* kind) { return weights.at(fmt::format("rnn.{}_l{}", kind, l)); };
    layers_.push_back(CellWeights<float>::from(of_layer("weight_ih"), of_layer("weight_hh"),
                                               of_layer("bias_ih"), of_layer("bias_hh")));
  }
  decoder_weight_ = floats(weights.at("decoder.weight").t());
  decoder_bias_ = floats(weights.at("decoder.bias"));
}

StepState Stepper::zero_state() const {
  const std::vector<std::vector<float>> zeros(layers_.size(),
                                              std::vector<float>(static_cast<std::size_t>(config_.hidden)));
  return {zeros, zeros, {}};
}

void Stepper::step(StepState& state, std::int64_t id, std::vector<float>& logits) const {
  const float* input = encoder_.data() + id * config_.embedding;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    cell_forward(config_.cell, layers_[l], input, state.h[l].data(), state.c[l].data(), state.scratch);
    input = state.h[l].data();
  }
  logits.resize(decoder_bias_.size());
  affine(decoder_bias_, decoder_weight_, input, config_.hidden, logits.data());
}

}  // namespace charnn
