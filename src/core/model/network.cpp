#include "core/model/network.h"

#include <algorithm>
#include <limits>
#include <sstream>
#include <tuple>

#include <fmt/format.h>

#include "core/base/error.h"
#include "fast/fused_function.h"

namespace charnn {
namespace {

std::variant<torch::nn::RNN, torch::nn::GRU, torch::nn::LSTM> make_rnn(const ModelConfig& c) {
  // torch warns about dropout that has no layer to act between; the dropout before the decoder is in forward().
  const double between_layers = c.layers > 1 ? c.dropout : 0.0;
  const auto with = [&](auto options) { return options.num_layers(c.layers).dropout(between_layers); };
  switch (c.cell) {
    case Cell::rnn: return torch::nn::RNN(with(torch::nn::RNNOptions(c.embedding, c.hidden)));
    case Cell::gru: return torch::nn::GRU(with(torch::nn::GRUOptions(c.embedding, c.hidden)));
    case Cell::lstm: break;
  }
  return torch::nn::LSTM(with(torch::nn::LSTMOptions(c.embedding, c.hidden)));
}

const std::uint8_t* starts_of(const torch::Tensor& starts) {
  return starts.defined() ? starts.data_ptr<std::uint8_t>() : nullptr;
}

std::string form_of(torch::ScalarType type, torch::IntArrayRef shape) {
  std::ostringstream text;
  text << "type " << type << ", shape " << shape;
  return text.str();
}

using NamedForms = std::vector<std::tuple<std::string, torch::ScalarType, std::vector<std::int64_t>>>;

/// Throws Error (usage) unless `source` has these tensors and no others.
void require_forms(const NamedTensors& source, const NamedForms& forms, std::string_view what) {
  for (const auto& [name, type, shape] : forms) {
    const auto found =
        std::find_if(source.begin(), source.end(), [&, &name = name](const auto& s) { return s.first == name; });
    if (found == source.end() || found->second.sizes() != shape || found->second.scalar_type() != type)
      fail_input(
          fmt::format(
              "{}: tensor {} is {}", what, name,
              found == source.end() ? "missing" : "of " + form_of(found->second.scalar_type(), found->second.sizes())),
          form_of(type, shape), "the checkpoint does not fit its own config; use another");
  }
  if (source.size() != forms.size())
    fail_input(fmt::format("{}: {} tensors", what, source.size()), fmt::format("{} tensors", forms.size()),
               "the checkpoint does not fit its own config; use another");
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
  parameters_ = parameters();
  use(Precision::fp32, 1);
  if (config.cell != Cell::lstm) return;
  const torch::NoGradGuard no_grad;
  for (auto& parameter : named_parameters()) {
    const bool ih = parameter.key().rfind("rnn.bias_ih", 0) == 0;
    const bool hh = parameter.key().rfind("rnn.bias_hh", 0) == 0;
    // The two biases are added.
    if (ih || hh) parameter.value().slice(0, config.hidden, 2 * config.hidden).fill_(ih ? config.forget_bias : 0.0);
  }
}

/// The recurrent layers: outputs [T, B, H] (as `logits`) and the state after them.
CharRnn::Output CharRnn::run_layers(const torch::Tensor& embedded, const State& state) {
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
  std::vector<torch::Tensor> outputs;  // of the stretches between steps at which documents start
  const std::int64_t steps = ids.size(0);
  const auto starts_at = [&](std::int64_t t) { return starts.defined() && starts[t].any().item<bool>(); };
  for (std::int64_t begin = 0, end; begin < steps; begin = end) {
    if (starts_at(begin)) {
      const torch::Tensor keep = starts[begin].eq(0).to(device(), embedded.scalar_type()).unsqueeze(1);  // [B, 1]
      now = {now.h * keep, now.c.defined() ? now.c * keep : now.c};
    }
    for (end = begin + 1; end < steps && !starts_at(end);) ++end;
    Output stretch = run_layers(embedded.slice(0, begin, end), now);
    outputs.push_back(stretch.logits);
    now = stretch.state;
  }
  torch::Tensor top = outputs.size() == 1 ? outputs[0] : torch::cat(outputs);
  if (is_training() && config_.dropout > 0) top = torch::dropout(top, config_.dropout, /*train=*/true);
  return {decoder_->forward(top), now};
}

bool CharRnn::fused() const { return device().is_cpu() && parameters_[0].scalar_type() == torch::kFloat; }

void require_supported(Precision precision) {
  if (precision == Precision::bf16 && bf16_unit() == Bf16Unit::none)
    fail_input("train.precision = \"bf16\": this CPU has no instructions for bfloat16",
               "AMX or AVX-512 BF16 (Intel since 2020, AMD since 2022)",
               "use --precision fp32; a run that began with bf16 can go on only on such a CPU");
}

void CharRnn::use(Precision training, int threads, Precision evaluation) {
  require_supported(training);
  require_supported(evaluation);
  pool_ = std::make_unique<ThreadPool>(threads);
  const auto path = [&](Precision precision) {
    const Format format = precision == Precision::bf16 ? Format::bf16 : exact_format();
    return std::make_unique<FusedNetwork>(config_, vocabulary_size_, format, *pool_);
  };
  training_path_ = path(training);
  evaluation_path_ = path(evaluation);
}

CharRnn::Loss CharRnn::loss(const torch::Tensor& ids, const torch::Tensor& targets, const State& state,
                            const torch::Tensor& starts) {
  if (!fused()) {
    auto [logits, next] = forward(ids.to(device()), state, starts);
    return {torch::nn::functional::cross_entropy(logits.reshape({-1, vocabulary_size_}),
                                                 targets.to(device()).reshape({-1})),
            next.detach()};
  }
  training_path_->take(parameters_, /*backward=*/true);
  FusedWindow window{ids.size(0), ids.size(1), ids.data_ptr<std::int64_t>(), targets.data_ptr<std::int64_t>(),
                     starts_of(starts)};
  window.training = true;
  window.gradient_scale = 1.0F / static_cast<float>(ids.numel());
  if (config_.dropout > 0)
    window.dropout_seed = static_cast<std::uint64_t>(
        torch::randint(std::numeric_limits<std::int64_t>::max(), {1}, torch::kInt64).item<std::int64_t>());
  Loss result{{}, state};
  result.mean = fused_loss(*training_path_, training_work_, window, result.state, parameters_);
  return result;
}

CharRnn::Nats CharRnn::nats(const torch::Tensor& ids, const torch::Tensor& targets, const State& state,
                            const torch::Tensor& starts) {
  const torch::NoGradGuard no_grad;
  if (!fused()) {
    auto [logits, next] = forward(ids.to(device()), state, starts);
    const auto options = torch::nn::functional::CrossEntropyFuncOptions().ignore_index(-1).reduction(torch::kNone);
    return {torch::nn::functional::cross_entropy(logits.reshape({-1, vocabulary_size_}),
                                                 targets.to(device()).reshape({-1}), options)
                .reshape(ids.sizes()),
            next};
  }
  evaluation_path_->take(parameters_, /*backward=*/false);
  Nats result{torch::empty(ids.sizes()), state};
  evaluation_path_->forward(
      {ids.size(0), ids.size(1), ids.data_ptr<std::int64_t>(), targets.data_ptr<std::int64_t>(), starts_of(starts)},
      result.state, evaluation_work_);
  copy_nats(evaluation_work_, result.nats.data_ptr<float>());
  return result;
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

std::vector<std::pair<std::string, std::vector<std::int64_t>>> weight_shapes(const ModelConfig& c, std::int64_t V) {
  const std::int64_t H = c.hidden, rows = gate_count(c.cell) * H;
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> shapes{{"encoder.weight", {V, c.embedding}}};
  for (std::int64_t l = 0; l < c.layers; ++l) {
    shapes.push_back({fmt::format("rnn.weight_ih_l{}", l), {rows, l == 0 ? c.embedding : H}});
    shapes.push_back({fmt::format("rnn.weight_hh_l{}", l), {rows, H}});
    shapes.push_back({fmt::format("rnn.bias_ih_l{}", l), {rows}});
    shapes.push_back({fmt::format("rnn.bias_hh_l{}", l), {rows}});
  }
  shapes.push_back({"decoder.weight", {V, H}});
  shapes.push_back({"decoder.bias", {V}});
  return shapes;
}

void require_weights(const NamedTensors& weights, const ModelConfig& config, std::int64_t vocabulary_size,
                     std::string_view what) {
  NamedForms forms;
  for (auto& [name, shape] : weight_shapes(config, vocabulary_size)) forms.emplace_back(name, torch::kFloat, shape);
  require_forms(weights, forms, what);
}

void copy_by_name(const NamedTensors& source, const NamedTensors& target, std::string_view what) {
  NamedForms forms;
  for (const auto& [name, tensor] : target) forms.emplace_back(name, tensor.scalar_type(), tensor.sizes().vec());
  require_forms(source, forms, what);
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : target)
    torch::Tensor(tensor).copy_(std::find_if(source.begin(), source.end(), [&, &name = name](const auto& s) {
                                  return s.first == name;
                                })->second);
}

}  // namespace charnn
