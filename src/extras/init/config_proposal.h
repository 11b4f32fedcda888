#pragma once
#include <map>
#include <string>
#include <vector>
#include "core/cli/config.h"

namespace charnn::cli {
/// What a proposal is based on.
struct ProposalFacts {
  std::vector<std::string> files;
  Tokens tokens = Tokens::chars;
  std::int64_t chars = 0;       ///< length of the text in symbols
  double minutes = 10;          ///< that training may take
  std::int64_t threads = 0;     ///< as train.threads
  double chars_per_second = 0;  ///< measured with the proposed network; 0: not yet
  double lr = 0;                ///< from a range test with it; 0: none yet, or it found none
};

struct Proposal {
  Config config;
  std::map<std::string, std::string> reasons;  ///< dotted key -> why; all other keys keep their defaults
  std::int64_t steps = 0;                      ///< of the whole training
  double seconds = 0;                          ///< expected duration; 0 while the speed is unknown
};

/// A pure function. Network and batch depend on the text's length alone, so that they can be measured before the rest
/// is chosen. Throws Error (usage) for a text too short to train on and to validate with.
Proposal propose(const ProposalFacts& facts);

/// The proposed keys as JSON, each with its reason as a comment above it; `heading` goes at the top.
std::string commented_json(const Proposal& proposal, const std::vector<std::string>& heading);
}  // namespace charnn::cli
