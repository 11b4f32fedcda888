#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>
#include "core/base/describe.h"
#include "core/base/random.h"
#include "core/data/vocabulary.h"
#include "core/model/model_config.h"

namespace charnn {
struct SampleConfig {
  double temperature = 0.8;
  std::int64_t length = 500;
  std::int64_t top_k = 0;
  double top_p = 1, min_p = 0, typical = 1;
  double repetition_penalty = 1, frequency_penalty = 0;
  std::int64_t penalty_window = 64;
  std::vector<std::string> bias = {};
  std::string only = {};
  std::int64_t beams = 1;
  StepWeights weights = StepWeights::automatic;
};
Section describe(SampleConfig& config);

/// Draws an index with probability softmax(logits / temperature). Temperature 0 takes the first of the largest logits.
std::int64_t draw(std::span<const float> logits, double temperature, Random& random);

/// Counts each symbol among the latest ones of a text.
class RecentSymbols {
 public:
  /// The last `window` symbols of an alphabet of `symbols`; 0: counts nothing.
  RecentSymbols(std::int64_t window, std::int64_t symbols) : window_(window), counts_(window > 0 ? symbols : 0) {}

  void add(std::int64_t id);
  std::span<const std::int32_t> counts() const noexcept { return counts_; }

 private:
  std::size_t window_;
  std::deque<std::int64_t> latest_;
  std::vector<std::int32_t> counts_;
};

/// Chooses the next symbol: bias and only, repetition penalty, frequency penalty (after which temperature 0 takes the
/// most likely symbol), temperature, top-k, top-p, min-p, typical (filters.h), and the draw, in this order.
class Sampler {
 public:
  /// Throws Error (usage): malformed bias, a character in bias or only outside the vocabulary, no character left.
  Sampler(const SampleConfig& config, const Vocabulary& vocabulary);

  const SampleConfig& config() const noexcept { return config_; }

  RecentSymbols no_symbols_yet() const;  ///< counts nothing if no penalty needs it

  std::int64_t operator()(std::span<const float> logits, const RecentSymbols& recent, Random& random) const;

  /// Writes log p of the symbols, in nats, before temperature and filters; beam search uses it.
  void score(std::span<const float> logits, const RecentSymbols& recent, std::span<float> row) const;

  /// Writes log p of the symbols, in nats, with which one is drawn: after temperature and filters.
  void weigh(std::span<const float> logits, const RecentSymbols& recent, std::span<float> row) const;

 private:
  SampleConfig config_;
  std::int64_t symbols_;
  std::vector<float> bias_;  ///< [V], -infinity for characters not in `only`; empty: no bias
};
}  // namespace charnn
