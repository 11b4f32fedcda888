#pragma once
#include <string>
#include <utility>
#include <vector>
#include "core/cli/config.h"
#include "extras/init/text_statistics.h"

namespace charnn::cli {
/// What a proposal rests on.
struct ProposalFacts {
  std::vector<std::string> files;
  Tokens tokens = Tokens::chars;
  std::int64_t chars = 0;       ///< length of the text in symbols
  double minutes = 10;          ///< that training may take
  std::int64_t threads = 0;     ///< as train.threads
  double chars_per_second = 0;  ///< measured with the network proposed; 0: not yet
  double lr = 0;                ///< of a range test with it; 0: not yet, or it found none
};

/// A config with its reasons. Only the keys that have one are worth writing down; the rest is at its default.
struct Proposal {
  Config config;
  std::vector<std::pair<std::string, std::string>> reasons;  ///< dotted key, why
  std::int64_t steps = 0;                                    ///< of the whole training
  double seconds = 0;                                        ///< it will take; 0 while the speed is unknown
};

/// A pure function. The network and the batch depend on the text's length alone, so that they can be measured before
/// the rest is chosen. Throws Error (usage) for a text too short to train on and to validate with.
Proposal propose(const ProposalFacts& facts);

/// The config as JSON, each key with its reason as a comment above; `heading` stands at the top.
std::string commented_json(const Proposal& proposal, const std::vector<std::string>& heading);

/// The validation loss to expect of a proposal that is trained to its end, in nats per character, from what a 5-gram
/// model makes of the same text (TextEntropy::held_out); docs/learning-rates.md has the runs behind it.
double expected_loss(double held_out, std::int64_t chars);
}  // namespace charnn::cli
