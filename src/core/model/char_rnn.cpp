#include "core/model/char_rnn.h"
#include <algorithm>
#include <functional>
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

/// The pieces that documents cut a window into, as sequences of their own, in the order of PyTorch's PackedSequence:
/// the longest piece first; all first symbols, then all second ones, and so on.
struct Pieces {
  torch::Tensor sizes;           ///< [longest], on the CPU: how many pieces have a first symbol, a second one, ...
  torch::Tensor order, inverse;  ///< [T B]: where symbol i is in the window, t B + b; where the window's symbol i is
  torch::Tensor from;            ///< [pieces]: the stream whose state a piece goes on from; B: zeros
  torch::Tensor last;            ///< [B]: the piece that a stream ends with
};

Pieces cut(const torch::Tensor& starts, torch::Device device) {
  struct Piece {
    std::int64_t stream, begin, length;
  };
  const std::int64_t steps = starts.size(0), streams = starts.size(1);
  const auto start = starts.accessor<std::uint8_t, 2>();
  std::vector<Piece> pieces;
  for (std::int64_t b = 0; b < streams; ++b)
    for (std::int64_t t = 0; t < steps; ++t) {
      if (t == 0 || start[t][b] != 0) pieces.push_back({b, t, 0});
      ++pieces.back().length;
    }
  std::ranges::stable_sort(pieces, std::greater(), &Piece::length);
  std::vector<std::int64_t> sizes, order, inverse(steps * streams), from, last(streams);
  for (std::int64_t i = 0; i < std::ssize(pieces); ++i) {
    from.push_back(pieces[i].begin == 0 && start[0][pieces[i].stream] == 0 ? pieces[i].stream : streams);
    if (pieces[i].begin + pieces[i].length == steps) last[pieces[i].stream] = i;
  }
  for (std::int64_t n = 0; n < pieces[0].length; ++n) {
    sizes.push_back(0);
    for (; sizes[n] < std::ssize(pieces) && pieces[sizes[n]].length > n; ++sizes[n]) {
      const Piece& piece = pieces[sizes[n]];
      order.push_back((piece.begin + n) * streams + piece.stream);
      inverse[order.back()] = std::ssize(order) - 1;
    }
  }
  const auto tensor = [](const std::vector<std::int64_t>& values) { return torch::tensor(values, torch::kInt64); };
  return {tensor(sizes), to_device(tensor(order), device), to_device(tensor(inverse), device),
          to_device(tensor(from), device), to_device(tensor(last), device)};
}
}  // namespace

torch::Tensor to_device(const torch::Tensor& host, torch::Device device) {
  return device.is_cuda() ? host.pin_memory().to(device, /*non_blocking=*/true) : host.to(device);
}

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

DropoutFactors CharRnn::draw_dropout(std::int64_t steps, std::int64_t streams, const at::Generator& generator) const {
  const ModelConfig& c = layout_.config();
  DropoutFactors factors;
  const auto draw = [&](double rate, torch::IntArrayRef shape) {
    if (rate == 0) return torch::Tensor();
    return torch::empty(shape, generator.device()).bernoulli_(1 - rate, generator).div_(1 - rate);
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

/// A layer's output for an input [T, B, n], or for packed symbols [T B, n] with these sizes; moves its state, h and c
/// [1, B or pieces, H], on.
torch::Tensor CharRnn::run_layer(std::int64_t layer, torch::Tensor input, const torch::Tensor& sizes,
                                 const DropoutFactors& factors, torch::Tensor& h, torch::Tensor& c) const {
  std::vector<torch::Tensor> weights(layers_.begin() + 4 * layer, layers_.begin() + 4 * (layer + 1));
  if (!factors.weight_hh.empty() && factors.weight_hh[layer].defined())
    weights[1] = weights[1] * factors.weight_hh[layer];
  const torch::ScalarType type = input.scalar_type();
  if (layer == 0 && type == torch::kHalf && !sizes.defined()) {
    // cuDNN's persistent kernels are for fp16 only, and for inputs of a multiple of 128.
    const std::int64_t pad = -input.size(-1) & 127;
    input = torch::constant_pad_nd(input, {0, pad});
    weights[0] = torch::constant_pad_nd(weights[0], {0, pad});
  }
  for (torch::Tensor& weight : weights) weight = weight.to(type);
  torch::Tensor output;
  const auto run = [&](auto function, auto state) {
    constexpr std::int64_t layers = 1;
    constexpr bool biases = true, bidirectional = false, batch_first = false;
    return sizes.defined()
               ? function(input, sizes, state, weights, biases, layers, 0.0, is_training(), bidirectional)
               : function(input, state, weights, biases, layers, 0.0, is_training(), bidirectional, batch_first);
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
  const std::int64_t steps = ids.size(0), streams = ids.size(1);
  Pieces pieces;
  if (starts.defined() && starts.any().item<bool>()) pieces = cut(starts, ids.device());
  const bool packed = pieces.sizes.defined();
  const auto masked = [&](const torch::Tensor& values, torch::Tensor mask) {
    if (packed) mask = mask.expand({steps, streams, mask.size(2)}).flatten(0, 1).index_select(0, pieces.order);
    return values * mask.to(values.scalar_type());
  };
  const torch::Tensor symbols = packed ? ids.reshape({-1}).index_select(0, pieces.order) : ids;
  torch::Tensor output = encoder_->forward(symbols), sum;  // [T, B, E], or packed [T B, E]
  if (factors.symbols.defined()) output = output * torch::embedding(factors.symbols, symbols);
  if (factors.input.defined()) output = masked(output, factors.input);
  output = output.to(type);
  std::vector<torch::Tensor> h, c;
  for (std::int64_t l = 0; l < layout_.config().layers; ++l) {
    const auto begin = [&](const torch::Tensor& all) {
      const torch::Tensor part = all.slice(0, l, l + 1).to(type);
      if (!packed) return part;
      return torch::cat({part, part.new_zeros({1, 1, part.size(2)})}, 1).index_select(1, pieces.from);
    };
    const auto end = [&](const torch::Tensor& part) { return packed ? part.index_select(1, pieces.last) : part; };
    torch::Tensor own_h = begin(state.h), own_c = state.c.defined() ? begin(state.c) : torch::Tensor();
    output = run_layer(l, output, pieces.sizes, factors, own_h, own_c);
    h.push_back(end(own_h));
    if (own_c.defined()) c.push_back(end(own_c));
    if (!factors.outputs.empty() && factors.outputs[l].defined()) output = masked(output, factors.outputs[l]);
    sum = sum.defined() ? sum + output : output;
  }
  torch::Tensor top = layout_.config().sums_layers() ? sum : output;
  if (packed) top = top.index_select(0, pieces.inverse).view({steps, streams, -1});
  const torch::Tensor logits = torch::linear(top, decoder_->weight.to(type), decoder_->bias.to(type));
  return {logits.to(own), {torch::cat(h).to(own), c.empty() ? torch::Tensor() : torch::cat(c).to(own)}};
}

std::vector<torch::Tensor> CharRnn::weights() const {
  std::vector<torch::Tensor> all{encoder_->weight};
  all.insert(all.end(), layers_.begin(), layers_.end());
  all.insert(all.end(), {decoder_->weight, decoder_->bias});
  return all;
}

void CharRnn::move_into(const FlatArray& flat) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> parameters = weights();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const WeightInfo& weight = layout_.weights()[i];
    const torch::Tensor view = flat.tensor().slice(0, weight.offset, weight.offset + weight.size).view(weight.shape);
    view.copy_(parameters[i]);
    parameters[i].set_data(view);
  }
}
}  // namespace charnn
