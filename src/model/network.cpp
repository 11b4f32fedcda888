#include "charnn/model/network.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "charnn/base/error.h"

namespace charnn {
namespace {

std::variant<torch::nn::RNN, torch::nn::GRU, torch::nn::LSTM> make_rnn(const ModelConfig& c) {
  // torch warns about dropout that has no layer to act between; the dropout before the decoder is in
  // forward().
  const double between_layers = c.layers > 1 ? c.dropout : 0.0;
  const auto with = [&](auto options) { return options.num_layers(c.layers).dropout(between_layers); };
  switch (c.cell) {
    case Cell::rnn:
      return torch::nn::RNN(with(torch::nn::RNNOptions(c.embedding, c.hidden)));
    case Cell::gru:
      return torch::nn::GRU(with(torch::nn::GRUOptions(c.embedding, c.hidden)));
    case Cell::lstm:
      break;
  }
  return torch::nn::LSTM(with(torch::nn::LSTMOptions(c.embedding, c.hidden)));
}

std::string shape_of(const torch::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

}  // namespace

State State::zeros(const ModelConfig& config, std::int64_t batch_size, torch::TensorOptions options) {
  const auto make = [&] { return torch::zeros({config.layers, batch_size, config.hidden}, options); };
  return {make(), config.cell == Cell::lstm ? make() : torch::Tensor()};
}

CharRnn::CharRnn(const ModelConfig& config, std::int64_t vocabulary_size)
    : config_(config), vocabulary_size_(vocabulary_size), rnn_(torch::nn::RNN(nullptr)) {
  encoder_ = register_module("encoder", torch::nn::Embedding(vocabulary_size, config.embedding));
  rnn_ = make_rnn(config);
  std::visit([this](auto& rnn) { register_module("rnn", rnn); }, rnn_);
  decoder_ = register_module("decoder", torch::nn::Linear(config.hidden, vocabulary_size));
  if (config.cell != Cell::lstm) return;
  const torch::NoGradGuard no_grad;
  for (auto& parameter : named_parameters()) {
    const bool ih = parameter.key().rfind("rnn.bias_ih", 0) == 0;
    const bool hh = parameter.key().rfind("rnn.bias_hh", 0) == 0;
    // The two biases are added.
    if (ih || hh)
      parameter.value().slice(0, config.hidden, 2 * config.hidden).fill_(ih ? config.forget_bias : 0.0);
  }
}

CharRnn::Output CharRnn::forward(const torch::Tensor& ids, const State& state) {
  const torch::Tensor embedded = encoder_->forward(ids);  // [T, B, E]
  torch::Tensor top;                                      // [T, B, H]
  State next;
  if (auto* lstm = std::get_if<torch::nn::LSTM>(&rnn_)) {
    auto [output, hc] = (*lstm)->forward(embedded, std::make_tuple(state.h, state.c));
    top = output;
    next = {std::get<0>(hc), std::get<1>(hc)};
  } else if (auto* gru = std::get_if<torch::nn::GRU>(&rnn_)) {
    std::tie(top, next.h) = (*gru)->forward(embedded, state.h);
  } else {
    std::tie(top, next.h) = std::get<torch::nn::RNN>(rnn_)->forward(embedded, state.h);
  }
  if (is_training() && config_.dropout > 0) top = torch::dropout(top, config_.dropout, /*train=*/true);
  return {decoder_->forward(top), next};
}

std::int64_t CharRnn::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& parameter : parameters()) count += parameter.numel();
  return count;
}

State CharRnn::zero_state(std::int64_t batch_size) const {
  return State::zeros(config_, batch_size, encoder_->weight.options().requires_grad(false));
}

NamedTensors CharRnn::weights() const {
  NamedTensors weights;
  for (const auto& parameter : named_parameters()) weights.emplace_back(parameter.key(), parameter.value());
  return weights;
}

void CharRnn::load(const NamedTensors& source) { copy_by_name(source, weights(), "model"); }

void copy_by_name(const NamedTensors& source, const NamedTensors& target, std::string_view what) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : target) {
    const auto found = std::find_if(source.begin(), source.end(),
                                    [&, &name = name](const auto& s) { return s.first == name; });
    if (found == source.end() || found->second.sizes() != tensor.sizes())
      fail_input(fmt::format("{}: tensor {} is {}", what, name,
                             found == source.end() ? "missing" : "of shape " + shape_of(found->second)),
                 fmt::format("shape {}", shape_of(tensor)),
                 "the checkpoint does not fit its own config; use another");
    torch::Tensor(tensor).copy_(found->second);
  }
  if (source.size() != target.size())
    fail_input(fmt::format("{}: {} tensors", what, source.size()), fmt::format("{} tensors", target.size()),
               "the checkpoint does not fit its own config; use another");
}

}  // namespace charnn
