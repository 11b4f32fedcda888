#pragma once
#include <string>
#include <vector>
#include "core/data/vocabulary.h"
#include "core/io/safetensors.h"
#include "core/model/model_config.h"

namespace charnn {
/// Which tensors are meant, where shapes and usual names do not tell. Empty: they do.
struct StateDictNames {
  std::string embedding = {};  ///< "tokens" or "tokens.weight"
  std::string decoder = {};
  std::string rnn = {};  ///< what comes before weight_ih_l0: "model.rnn"
};

/// A network of charnn's kind that was trained in PyTorch.
struct ImportedNetwork {
  ModelConfig config;
  Vocabulary vocabulary;
  std::vector<float> weights;  ///< as NetworkLayout has them
};

/// Understands the state_dict of an nn.RNN (tanh), nn.GRU or nn.LSTM with an nn.Embedding before it (or one-hot input)
/// and an nn.Linear after it, whatever their names. `symbols` are the characters in the order of its rows; charnn's
/// ascend, so the rows are put in that order. `what` names it in messages. Throws Error (usage) if it is anything else,
/// or has a tensor of which nothing is known.
ImportedNetwork from_state_dict(const std::vector<Tensor>& tensors, const std::vector<char32_t>& symbols,
                                const StateDictNames& names, const std::string& what);
}  // namespace charnn
