#pragma once
#include <array>
#include <map>
#include <string>
#include <vector>
#include "core/cli/config.h"
#include "extras/init/loss_law.h"

namespace charnn::cli {
/// What a proposal is based on.
struct ProposalFacts {
  std::vector<std::string> files;
  Tokens tokens = Tokens::chars;
  bool windows = false;               ///< lines end in CR and newline
  bool list = false, sorted = false;  ///< see TextShape
  std::int64_t chars = 0;             ///< length of the text in symbols
  double minutes = 10;                ///< that training may take
  std::int64_t threads = 0;           ///< as train.threads
  /// Characters a second in training of each network of network_sizes, as measured; 0: not yet.
  std::array<double, network_sizes.size()> speeds = {};
  Yardsticks yardsticks = {};  ///< see loss_law.h
};

struct Proposal {
  Config config;
  std::map<std::string, std::string> reasons;  ///< dotted key -> why; all other keys keep their defaults
  std::int64_t steps = 0;                      ///< of the whole training, about
  double seconds = 0;                          ///< expected duration
  double chars_per_second = 0;                 ///< of the network proposed
  double loss = 0;                             ///< expected at the end, on validation, in nats per character
};

/// A pure function: of the networks measured, that with the lowest loss expected in this time. Throws Error (usage) for
/// a text too short to train on and to validate with.
Proposal propose(const ProposalFacts& facts);

/// As propose(), but with that network.
Proposal propose(const ProposalFacts& facts, std::size_t size);

/// The proposed keys as JSON, each with its reason as a comment above it; `heading` goes at the top.
std::string commented_json(const Proposal& proposal, const std::vector<std::string>& heading);
}  // namespace charnn::cli
