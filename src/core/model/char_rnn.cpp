#include "core/model/char_rnn.h"
#include <string>
#include <tuple>
#include <vector>

namespace charnn {
namespace {
std::shared_ptr<torch::nn::Module> make_rnn(const ModelConfig& c) {
  switch (c.cell) {
    case Cell::rnn: return torch::nn::RNN(torch::nn::RNNOptions(c.embedding, c.hidden).num_layers(c.layers)).ptr();
    case Cell::gru: return torch::nn::GRU(torch::nn::GRUOptions(c.embedding, c.hidden).num_layers(c.layers)).ptr();
    case Cell::lstm: break;
  }
  return torch::nn::LSTM(torch::nn::LSTMOptions(c.embedding, c.hidden).num_layers(c.layers)).ptr();
}

/// Steps [begin, end) of a mask, which may last for all steps.
torch::Tensor steps_of(const torch::Tensor& mask, std::int64_t begin, std::int64_t end) {
  return mask.size(0) == 1 ? mask : mask.slice(0, begin, end);
}
}  // namespace

CharRnn::CharRnn(const NetworkLayout& layout) : layout_(layout) {
  const ModelConfig& config = layout.config();
  encoder_ = register_module("encoder", torch::nn::Embedding(layout.vocabulary_size(), config.embedding));
  const auto parameters = register_module("rnn", make_rnn(config))->named_parameters();
  for (std::int64_t l = 0; l < config.layers; ++l)
    for (const char* name : {"weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l"})
      layers_.push_back(parameters[name + std::to_string(l)]);
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

DropoutFactors CharRnn::draw_dropout(std::int64_t steps, std::int64_t streams, torch::Device device) const {
  const ModelConfig& c = layout_.config();
  DropoutFactors factors;
  const auto draw = [&](double rate, torch::IntArrayRef shape) {
    return rate > 0 ? torch::dropout(torch::ones(shape, device), rate, /*train=*/true) : torch::Tensor();
  };
  const std::int64_t lasting = c.dropout_mask == DropoutMask::window ? 1 : steps;
  factors.symbols = draw(c.embedding_dropout, {layout_.vocabulary_size(), 1});
  factors.input = draw(c.input_dropout, {lasting, streams, c.embedding});
  for (std::int64_t l = 0; l < c.layers; ++l) {
    factors.outputs.push_back(draw(c.dropout_after(l), {lasting, streams, c.hidden}));
    factors.weight_hh.push_back(draw(c.weight_dropout, {gate_count(c.cell) * c.hidden, c.hidden}));
  }
  return factors;
}

/// A layer's output [T, B, H]; moves its state, h and c [1, B, H], on.
torch::Tensor CharRnn::run_layer(std::int64_t layer, const torch::Tensor& input, const DropoutFactors& factors,
                                 torch::Tensor& h, torch::Tensor& c) const {
  std::vector<torch::Tensor> weights(layers_.begin() + 4 * layer, layers_.begin() + 4 * (layer + 1));
  if (!factors.weight_hh.empty() && factors.weight_hh[layer].defined())
    weights[1] = weights[1] * factors.weight_hh[layer];
  for (torch::Tensor& weight : weights) weight = weight.to(input.scalar_type());
  torch::Tensor output;
  const auto run = [&](auto function, auto state) {
    return function(input, state, weights, /*has_biases=*/true, /*num_layers=*/1, /*dropout=*/0.0, is_training(),
                    /*bidirectional=*/false, /*batch_first=*/false);
  };
  switch (layout_.config().cell) {
    case Cell::rnn: std::tie(output, h) = run([](auto&&... a) { return torch::rnn_tanh(a...); }, h); break;
    case Cell::gru: std::tie(output, h) = run([](auto&&... a) { return torch::gru(a...); }, h); break;
    case Cell::lstm:
      std::tie(output, h, c) = run([](auto&&... a) { return torch::lstm(a...); }, std::vector<torch::Tensor>{h, c});
      break;
  }
  return output;
}

CharRnn::Output CharRnn::forward(const torch::Tensor& ids, const State& state, const torch::Tensor& starts,
                                 const DropoutFactors& factors, std::optional<torch::ScalarType> given) {
  const torch::ScalarType own = encoder_->weight.scalar_type(), type = given.value_or(own);
  torch::Tensor input = encoder_->forward(ids);  // [T, B, E]
  if (factors.symbols.defined()) input = input * torch::embedding(factors.symbols, ids);
  if (factors.input.defined()) input = input * factors.input;
  input = input.to(type);
  std::vector<torch::Tensor> h, c(static_cast<std::size_t>(layout_.config().layers));
  for (std::int64_t l = 0; l < layout_.config().layers; ++l) {
    h.push_back(state.h.slice(0, l, l + 1).to(type));
    if (state.c.defined()) c[l] = state.c.slice(0, l, l + 1).to(type);
  }
  std::vector<torch::Tensor> outputs;  // of the steps from one at which documents start to the next
  const std::int64_t steps = ids.size(0);
  const auto starts_at = [&](std::int64_t t) { return starts.defined() && starts[t].any().item<bool>(); };
  for (std::int64_t begin = 0, end; begin < steps; begin = end) {
    for (end = begin + 1; end < steps && !starts_at(end);) ++end;
    torch::Tensor output = input.slice(0, begin, end), sum;
    for (std::int64_t l = 0; l < layout_.config().layers; ++l) {
      if (starts_at(begin)) {
        const torch::Tensor keep = starts[begin].eq(0).to(input.device(), input.scalar_type()).unsqueeze(1);  // [B, 1]
        h[l] = h[l] * keep;
        if (c[l].defined()) c[l] = c[l] * keep;
      }
      output = run_layer(l, output, factors, h[l], c[l]);
      if (!factors.outputs.empty() && factors.outputs[l].defined())
        output = output * steps_of(factors.outputs[l], begin, end).to(type);
      sum = sum.defined() ? sum + output : output;
    }
    outputs.push_back(layout_.config().sums_layers() ? sum : output);
  }
  const torch::Tensor top = outputs.size() == 1 ? outputs[0] : torch::cat(outputs);
  const torch::Tensor logits = torch::linear(top, decoder_->weight.to(type), decoder_->bias.to(type));
  return {logits.to(own), {torch::cat(h).to(own), state.c.defined() ? torch::cat(c).to(own) : torch::Tensor()}};
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
