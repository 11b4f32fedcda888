#include "core/model/model_config.h"

namespace charnn {
Section describe(ModelConfig& c) {
  return {
      "model",
      "The network",
      {Field::choice("cell", c.cell, cell_names, "kind of recurrent cell (rnn: tanh)").shown_first().fixed_for_run(),
       Field::integer("layers", c.layers, from_to(1, 64), "recurrent layers, one on top of the other")
           .shown_first()
           .fixed_for_run(),
       Field::integer("hidden", c.hidden, from_to(1, 65536), "hidden units of each layer")
           .shown_first()
           .fixed_for_run(),
       Field::integer("embedding", c.embedding, from_to(1, 65536), "size of the vector that stands for a character")
           .fixed_for_run(),
       Field::choice(
           "decoder_input", c.decoder_input, decoder_input_names,
           "which layers the decoder reads: the last one, or the sum of all (skip connections: Graves 2013), the "
           "default in a new run")
           .fixed_for_run(),
       Field::real("dropout", c.dropout, from_to_below(0, 1),
                   "share of units dropped between layers and before the decoder, in training only")
           .shown_first(),
       Field::real("output_dropout", c.output_dropout, from_to_below(-1, 1),
                   "share dropped before the decoder; negative: as dropout"),
       Field::real("input_dropout", c.input_dropout, from_to_below(0, 1),
                   "share dropped of the embedded characters' elements"),
       Field::real("embedding_dropout", c.embedding_dropout, from_to_below(0, 1),
                   "share of the characters whose embedding is zero for a whole window (Gal, Ghahramani 2016)"),
       Field::real(
           "weight_dropout", c.weight_dropout, from_to_below(0, 1),
           "share of the hidden-to-hidden weights dropped for a whole window (weight drop: Merity et al. 2018)"),
       Field::choice("dropout_mask", c.dropout_mask, dropout_mask_names,
                     "how long a mask of dropout, output_dropout and input_dropout lasts: a step, or all steps of a "
                     "window (variational dropout: Gal, Ghahramani 2016)"),
       Field::real("forget_bias", c.forget_bias, from_to(-10, 10),
                   "lstm: bias of the forget gate before training (1 is a common choice, but learns tinyshakespeare 3 "
                   "% worse than 0)")
           .fixed_for_run()}};
}

double training_flops(const ModelConfig& config, std::int64_t vocabulary_size) {
  const double H = static_cast<double>(config.hidden), L = static_cast<double>(config.layers);
  const double gates = static_cast<double>(gate_count(config.cell));
  return 6 * (gates * H * H * (2 * L - 1) + H * static_cast<double>(vocabulary_size));
}
}  // namespace charnn
