#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "core/data/vocabulary.h"
#include "core/io/safetensors.h"
#include "core/model/model_config.h"

namespace charnn {
/// The characters of a network trained elsewhere, in the order of its ids. `is_json`: an array of characters, or an
/// object {character: id} or {id: character}; otherwise `text` is just these characters. `what` names it in messages.
/// Throws Error (usage) for a missing id, a repeated character, or an entry that is not a single character.
std::vector<char32_t> parse_symbol_order(std::string_view text, bool is_json, const std::string& what);

/// Which tensors to take where shapes and usual names do not decide; may be empty.
struct StateDictNames {
  std::string embedding = {};  ///< "tokens" or "tokens.weight"
  std::string decoder = {};
  std::string rnn = {};  ///< prefix of weight_ih_l0, with or without its dot: "model.rnn"
};

/// A network trained in PyTorch, in charnn's terms.
struct ImportedNetwork {
  ModelConfig config;
  Vocabulary vocabulary;
  std::vector<float> weights;  ///< ordered as in NetworkLayout
};

/// Converts the state_dict of an nn.RNN (tanh), nn.GRU or nn.LSTM with an nn.Embedding (or one-hot input) before it and
/// an nn.Linear after it, whatever their names. `symbols` are the characters in the order of its rows; charnn's ascend,
/// so rows are reordered. `what` names it in messages. Throws Error (usage) for anything else, also for unknown
/// tensors.
ImportedNetwork from_state_dict(const std::vector<Tensor>& tensors, const std::vector<char32_t>& symbols,
                                const StateDictNames& names, const std::string& what);
}  // namespace charnn
