#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <vector>
#include "core/base/random.h"
#include "core/data/vocabulary.h"
#include "core/sample/sample_config.h"

namespace charnn {
/// Draws an index with probability softmax(logits / temperature); temperature 0 takes the largest logit, the first one
/// among equals.
std::int64_t draw(std::span<const float> logits, double temperature, Random& random);

/// How often each symbol is among the latest ones of a text.
class RecentSymbols {
 public:
  /// `window` symbols of an alphabet of `symbols`; 0: nothing is counted.
  RecentSymbols(std::int64_t window, std::int64_t symbols)
      : window_(static_cast<std::size_t>(window)), counts_(window > 0 ? static_cast<std::size_t>(symbols) : 0) {}

  void add(std::int64_t id);
  std::span<const std::int32_t> counts() const noexcept { return counts_; }

 private:
  std::size_t window_;
  std::deque<std::int64_t> latest_;
  std::vector<std::int32_t> counts_;
};

/// From logits to the next symbol, as a SampleConfig says. In this order: bias, only, repetition penalty, frequency
/// penalty, temperature, top-k, top-p, min-p, typical (filters.h), and the draw. Temperature 0 takes the likeliest
/// after the penalties.
class Sampler {
 public:
  /// Throws Error (usage): a bias of another form; a character in bias or only that the vocabulary lacks; biases that
  /// leave no character.
  Sampler(const SampleConfig& config, const Vocabulary& vocabulary);

  const SampleConfig& config() const noexcept { return config_; }

  /// Nothing is counted where no penalty asks for it.
  RecentSymbols no_symbols_yet() const;

  std::int64_t operator()(std::span<const float> logits, const RecentSymbols& recent, Random& random) const;

  /// log p of the symbols, in nats, without temperature, filters and chance: what beam search goes by.
  void score(std::span<const float> logits, const RecentSymbols& recent, std::span<float> row) const;

 private:
  bool plain() const noexcept;  ///< nothing but the temperature

  SampleConfig config_;
  std::int64_t symbols_;
  std::vector<float> bias_;            ///< [V] or empty
  std::vector<std::uint8_t> allowed_;  ///< [V] or empty
};
}  // namespace charnn
