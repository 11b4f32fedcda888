#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/data/torch.h"
#include "core/model/model_config.h"
#include "core/model/state.h"
#include "fast/fused_network.h"
#include "kernels/thread_pool.h"

namespace charnn {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/// Character-level recurrent network: embedding -> L recurrent layers -> linear decoder. Parameter names, shapes and
/// gate order are PyTorch's: encoder.weight [V, E], rnn.weight_ih_l0 [G*H, E], rnn.weight_hh_l0 [G*H, H],
/// rnn.bias_ih_l0 [G*H], ..., decoder.weight [V, H], decoder.bias [V].
class CharRnn : public torch::nn::Module {
 public:
  /// Weights as PyTorch initialises them, from LibTorch's default generator, but for the forget gate's bias of an lstm:
  /// that begins at config.forget_bias. (Jozefowicz et al. 2015, "An empirical exploration of recurrent network
  /// architectures", recommend 1; at the default sizes on tinyshakespeare 0 is better by 3 %.) Loading weights never
  /// touches it.
  CharRnn(const ModelConfig& config, std::int64_t vocabulary_size);

  struct Output {
    torch::Tensor logits;  ///< [T, B, V]
    State state;           ///< after the last symbol
  };

  /// `ids` [T, B] int64; `state` of B streams. Dropout acts only while is_training(). `starts` [T, B] uint8 on the CPU,
  /// or undefined: where it is 1 a document starts with that symbol, from a zero state; neither state nor gradient
  /// passes from what was before.
  Output forward(const torch::Tensor& ids, const State& state, const torch::Tensor& starts = {});

  /// How a CPU computes: the number format of the products in training, the threads, and the format of those in nats().
  /// Throws as require_supported(). Until this is called: fp32 and one thread.
  void use(Precision training, int threads, Precision evaluation = Precision::fp32);

  struct Loss {
    torch::Tensor mean;  ///< nats per symbol; backward() fills the weights' gradients
    State state;         ///< after the last symbol, detached
  };
  /// A training step's forward pass over `ids` and `targets` [T, B] int64, with dropout. On a CPU by the fused path
  /// (see fused_network.h), elsewhere by forward(). backward() must come before the next call.
  Loss loss(const torch::Tensor& ids, const torch::Tensor& targets, const State& state,
            const torch::Tensor& starts = {});

  struct Nats {
    torch::Tensor nats;  ///< [T, B] float: -log p of each target, 0 where it does not count
    State state;
  };
  /// The same without dropout and gradients. Negative targets do not count.
  Nats nats(const torch::Tensor& ids, const torch::Tensor& targets, const State& state,
            const torch::Tensor& starts = {});

  ThreadPool& pool() const noexcept { return *pool_; }
  const ModelConfig& config() const noexcept { return config_; }
  std::int64_t vocabulary_size() const noexcept { return vocabulary_size_; }
  std::int64_t parameter_count() const;
  torch::Device device() const { return encoder_->weight.device(); }

  /// Zero state of `batch_size` streams on the model's device and in its dtype.
  State zero_state(std::int64_t batch_size) const;

  /// The parameters in a fixed order, sharing their storage.
  NamedTensors weights() const;

  /// Copies every weight, by name, into the model; throws as copy_by_name().
  // NOLINTNEXTLINE(clang-diagnostic-overloaded-virtual): LibTorch's own load(), of archives, is not used
  void load(const NamedTensors& weights);

 private:
  ModelConfig config_;
  std::int64_t vocabulary_size_;
  torch::nn::Embedding encoder_{nullptr};
  std::variant<torch::nn::RNN, torch::nn::GRU, torch::nn::LSTM> rnn_;
  torch::nn::Linear decoder_{nullptr};

  Output run_layers(const torch::Tensor& embedded, const State& state);
  bool fused() const;  ///< the fused path fits where and what the weights are

  std::vector<torch::Tensor> parameters_;  ///< as weights()
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<FusedNetwork> training_path_;
  std::unique_ptr<FusedNetwork> evaluation_path_;
  FusedWorkspace training_work_;
  FusedWorkspace evaluation_work_;
};

/// Names and shapes of such a network's weights, in the order of CharRnn::weights().
std::vector<std::pair<std::string, std::vector<std::int64_t>>> weight_shapes(const ModelConfig& config,
                                                                             std::int64_t vocabulary_size);

/// Throws Error (usage) unless `weights` are those of such a network. To be asked before one is made: a config that is
/// not to be trusted could ask for any amount of memory.
void require_weights(const NamedTensors& weights, const ModelConfig& config, std::int64_t vocabulary_size,
                     std::string_view what);

/// Throws Error (usage) if this CPU has no instructions for products in that precision.
void require_supported(Precision precision);

/// Copies `source` into `target` tensor by tensor, matched by name; `what` begins the message. Throws Error (usage) if
/// one is missing, unknown, or of another shape or type.
void copy_by_name(const NamedTensors& source, const NamedTensors& target, std::string_view what);

}  // namespace charnn
