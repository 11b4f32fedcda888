#pragma once
#include <variant>
#include "core/model/flat_array.h"
#include "core/model/network_layout.h"
#include "core/model/torch.h"

namespace charnn {
/// The network as a LibTorch module: embedding -> recurrent layers -> linear decoder. It trains on a GPU, and is what
/// the CPU path is held against in the tests.
class CharRnn : public torch::nn::Module {
 public:
  /// Weights as PyTorch initialises them, from LibTorch's default generator, but for the bias of an lstm's forget gate,
  /// which begins at config.forget_bias. (Jozefowicz et al. 2015, "An empirical exploration of recurrent network
  /// architectures", recommend 1; at the default sizes on tinyshakespeare 0 is better by 3 %.)
  explicit CharRnn(const NetworkLayout& layout);

  /// Recurrent state, both [layers, B, H]; c is undefined for rnn and gru.
  struct State {
    torch::Tensor h, c;
  };
  struct Output {
    torch::Tensor logits;  ///< [T, B, V]
    State state;           ///< after the last symbol
  };
  /// `ids` [T, B] int64. Dropout acts only while is_training(). `starts` [T, B] uint8 on the CPU, or undefined: where
  /// it is 1, a document starts with that symbol, from a zero state; neither state nor gradient passes from before it.
  Output forward(const torch::Tensor& ids, const State& state, const torch::Tensor& starts = {});

  State zero_state(std::int64_t streams) const;

  /// From now on the parameters are views into `weights`, and their gradients into `gradients`; `weights` gets their
  /// present values.
  void move_into(const FlatArray& weights, const FlatArray& gradients);

 private:
  std::pair<torch::Tensor, State> run_layers(const torch::Tensor& embedded, const State& state);

  NetworkLayout layout_;
  torch::nn::Embedding encoder_{nullptr};
  std::variant<torch::nn::RNN, torch::nn::GRU, torch::nn::LSTM> rnn_;
  torch::nn::Linear decoder_{nullptr};
};
}  // namespace charnn
