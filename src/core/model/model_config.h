#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include "core/base/describe.h"
#include "kernels/cells.h"

namespace charnn {
inline constexpr std::array<const char*, 3> cell_names{"rnn", "gru", "lstm"};

/// Number format of the products: bf16 rounds their factors to bfloat16 and sums in float. On a GPU only: tf32 rounds
/// them to 11 bits, fp16 to IEEE's half. Weights, gradients and moments are float in each. automatic: bf16 where the
/// device multiplies it faster, else fp32.
enum class Precision { automatic, fp32, bf16, tf32, fp16 };
inline constexpr std::array<const char*, 5> precision_names{"auto", "fp32", "bf16", "tf32", "fp16"};

/// How a network's weights are kept for sampling: as they are; rounded to bfloat16, which halves what must be read for
/// each character; or those of the recurrent layers as one of 255 multiples of a scale for each row, which halves it
/// again. automatic: int8 only where a core's cache cannot hold the weights, and reading them is what takes the time.
enum class StepWeights { automatic, fp32, bf16, int8 };
inline constexpr std::array<const char*, 4> step_weights_names{"auto", "fp32", "bf16", "int8"};

/// How long a dropout mask lasts: one step, or all steps of a window ("variational": Gal, Ghahramani 2016, "A
/// theoretically grounded application of dropout in recurrent neural networks").
enum class DropoutMask { step, window };
inline constexpr std::array<const char*, 2> dropout_mask_names{"step", "window"};

/// What the decoder reads: the last layer, or the sum of all (skip connections: Graves 2013, "Generating sequences with
/// recurrent neural networks").
enum class DecoderInput { last, sum };
inline constexpr std::array<const char*, 2> decoder_input_names{"last", "sum"};

/// The members are explained in model_config.cpp, where --help takes its texts from.
struct ModelConfig {
  Cell cell = Cell::lstm;
  std::int64_t layers = 2;
  std::int64_t hidden = 128;
  std::int64_t embedding = 64;
  double dropout = 0.0;
  double output_dropout = -1;
  double input_dropout = 0;
  double embedding_dropout = 0;
  double weight_dropout = 0;
  DropoutMask dropout_mask = DropoutMask::step;
  DecoderInput decoder_input = DecoderInput::last;
  double forget_bias = 0.0;

  /// Dropout of the output of a layer.
  double dropout_after(std::int64_t layer) const {
    return layer == layers - 1 && output_dropout >= 0 ? output_dropout : dropout;
  }
  bool sums_layers() const { return decoder_input == DecoderInput::sum && layers > 1; }
  void drop_nothing() { dropout = output_dropout = input_dropout = embedding_dropout = weight_dropout = 0; }
  bool drops_out() const {
    return std::max({dropout, output_dropout, input_dropout, embedding_dropout, weight_dropout}) > 0;
  }
};

Section describe(ModelConfig& config);

/// Rows of the weight matrices in units of `hidden`: rnn 1; gru 3 (r, z, n); lstm 4 (i, f, g, o), in PyTorch's order.
inline std::int64_t gate_count(Cell cell) { return kind_of(cell).gates; }

/// Multiplications and additions a symbol in a training step's products: forward once, backward twice. The first
/// layer's input is a table and counts nothing.
double training_flops(const ModelConfig& config, std::int64_t vocabulary_size);
}  // namespace charnn
