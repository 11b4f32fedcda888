#pragma once
#include <optional>
#include <vector>
#include "core/model/flat_array.h"
#include "core/model/network_layout.h"
#include "core/model/torch.h"

namespace charnn {
/// A copy on the device; a GPU makes it from pinned memory, and nothing waits for that.
torch::Tensor to_device(const torch::Tensor& host, torch::Device device);

/// Factors of a window's dropout, each 0 or 1 / (1 - p). Undefined or missing: nothing is dropped there. Where a
/// mask lasts for the window, T is 1.
struct DropoutFactors {
  torch::Tensor symbols;                 ///< [V, 1]: embedding_dropout
  torch::Tensor input;                   ///< [T, B, E]: input_dropout
  std::vector<torch::Tensor> outputs;    ///< of each layer, [T, B, H]: dropout, output_dropout
  std::vector<torch::Tensor> weight_hh;  ///< of each layer, [G H, H]: weight_dropout
};

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
  /// As the config asks for, on the generator's device.
  DropoutFactors draw_dropout(std::int64_t steps, std::int64_t streams, const at::Generator& generator) const;

  /// `ids` [T, B] int64. `starts` [T, B] uint8 on the CPU, or undefined: where it is 1, a document starts with that
  /// symbol, from a zero state; neither state nor gradient passes from before it. All documents are one call per layer,
  /// as a packed sequence. The layers and the decoder calculate in `type`, by default that of the weights, which logits
  /// and state have.
  Output forward(const torch::Tensor& ids, const State& state, const torch::Tensor& starts = {},
                 const DropoutFactors& factors = {}, std::optional<torch::ScalarType> type = {});

  State zero_state(std::int64_t streams) const;

  /// From now on the parameters are views into `flat`, which gets their present values.
  void move_into(const FlatArray& flat);
  std::vector<torch::Tensor> weights() const;  ///< the parameters as the layout has them

 private:
  torch::Tensor run_layer(std::int64_t layer, torch::Tensor input, const torch::Tensor& sizes,
                          const DropoutFactors& factors, torch::Tensor& h, torch::Tensor& c) const;

  NetworkLayout layout_;
  torch::nn::Embedding encoder_{nullptr};
  std::vector<torch::Tensor> layers_;  ///< 4 weights each, as NetworkLayout has them
  torch::nn::Linear decoder_{nullptr};
};
}  // namespace charnn
