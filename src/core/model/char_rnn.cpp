#include "core/model/char_rnn.h"
#include <tuple>
#include <utility>
#include <vector>

namespace charnn {
namespace {
std::variant<torch::nn::RNN, torch::nn::GRU, torch::nn::LSTM> make_rnn(const ModelConfig& c) {
  // PyTorch warns about dropout that has no layer to act between; the dropout before the decoder is in forward().
  const double between_layers = c.layers > 1 ? c.dropout : 0.0;
  const auto with = [&](auto options) { return options.num_layers(c.layers).dropout(between_layers); };
  switch (c.cell) {
    case Cell::rnn: return torch::nn::RNN(with(torch::nn::RNNOptions(c.embedding, c.hidden)));
    case Cell::gru: return torch::nn::GRU(with(torch::nn::GRUOptions(c.embedding, c.hidden)));
    case Cell::lstm: break;
  }
  return torch::nn::LSTM(with(torch::nn::LSTMOptions(c.embedding, c.hidden)));
}
}  // namespace

CharRnn::CharRnn(const NetworkLayout& layout) : layout_(layout), rnn_(torch::nn::RNN(nullptr)) {
  const ModelConfig& config = layout.config();
  encoder_ = register_module("encoder", torch::nn::Embedding(layout.vocabulary_size(), config.embedding));
  rnn_ = make_rnn(config);
  std::visit([this](auto& rnn) { register_module("rnn", rnn); }, rnn_);
  decoder_ = register_module("decoder", torch::nn::Linear(config.hidden, layout.vocabulary_size()));
  if (config.cell != Cell::lstm) return;
  const torch::NoGradGuard no_grad;
  for (auto& parameter : named_parameters()) {
    const bool ih = parameter.key().rfind("rnn.bias_ih", 0) == 0, hh = parameter.key().rfind("rnn.bias_hh", 0) == 0;
    // The two biases are added.
    if (ih || hh) parameter.value().slice(0, config.hidden, 2 * config.hidden).fill_(ih ? config.forget_bias : 0.0);
  }
}

CharRnn::State CharRnn::zero_state(std::int64_t streams) const {
  const ModelConfig& config = layout_.config();
  const auto make = [&] {
    return torch::zeros({config.layers, streams, config.hidden}, encoder_->weight.options().requires_grad(false));
  };
  return {make(), config.cell == Cell::lstm ? make() : torch::Tensor()};
}

/// The recurrent layers: their output [T, B, H] and the state after it.
std::pair<torch::Tensor, CharRnn::State> CharRnn::run_layers(const torch::Tensor& embedded, const State& state) {
  if (auto* lstm = std::get_if<torch::nn::LSTM>(&rnn_)) {
    auto [output, hc] = (*lstm)->forward(embedded, std::make_tuple(state.h, state.c));
    return {output, {std::get<0>(hc), std::get<1>(hc)}};
  }
  auto [output, h] = std::holds_alternative<torch::nn::GRU>(rnn_)
                         ? std::get<torch::nn::GRU>(rnn_)->forward(embedded, state.h)
                         : std::get<torch::nn::RNN>(rnn_)->forward(embedded, state.h);
  return {output, {h, {}}};
}

CharRnn::Output CharRnn::forward(const torch::Tensor& ids, const State& state, const torch::Tensor& starts) {
  const torch::Tensor embedded = encoder_->forward(ids);  // [T, B, E]
  State now = state;
  std::vector<torch::Tensor> outputs;  // of the steps from one at which documents start to the next
  const std::int64_t steps = ids.size(0);
  const auto starts_at = [&](std::int64_t t) { return starts.defined() && starts[t].any().item<bool>(); };
  for (std::int64_t begin = 0, end; begin < steps; begin = end) {
    if (starts_at(begin)) {
      const torch::Tensor keep =
          starts[begin].eq(0).to(embedded.device(), embedded.scalar_type()).unsqueeze(1);  // [B, 1]
      now = {now.h * keep, now.c.defined() ? now.c * keep : now.c};
    }
    for (end = begin + 1; end < steps && !starts_at(end);) ++end;
    auto [output, next] = run_layers(embedded.slice(0, begin, end), now);
    outputs.push_back(output);
    now = next;
  }
  torch::Tensor top = outputs.size() == 1 ? outputs[0] : torch::cat(outputs);
  const double dropout = layout_.config().dropout;
  if (is_training() && dropout > 0) top = torch::dropout(top, dropout, /*train=*/true);
  return {decoder_->forward(top), now};
}

void CharRnn::move_into(const FlatArray& weights, const FlatArray& gradients) {
  const torch::NoGradGuard no_grad;
  auto parameters = named_parameters();
  for (const WeightInfo& weight : layout_.weights()) {
    const auto view = [&](const FlatArray& flat) {
      return flat.tensor().slice(0, weight.offset, weight.offset + weight.size).view(weight.shape);
    };
    torch::Tensor& parameter = parameters[weight.name];
    view(weights).copy_(parameter);
    parameter.set_data(view(weights));
    parameter.mutable_grad() = view(gradients);
  }
}
}  // namespace charnn
