#include "core/sample/sampler.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/sample/filters.h"
#include "kernels/elementwise.h"

namespace charnn {
namespace {
struct Bias {
  std::int64_t id;
  float value;
};

/// "e=-2": the first symbol, and what stands after the "=" that follows it.
Bias parse_bias(const std::string& text, const Vocabulary& vocabulary) {
  std::string_view rest = text;
  require_utf8(rest, vocabulary.tokens(), "sample.bias");
  const auto refuse = [&] {
    fail_input(fmt::format("sample.bias \"{}\"", text), "a character, =, and a number from -1000 to 1000 or -inf",
               "for example --bias e=-2 or --bias '==1.5'");
  };
  if (rest.empty()) refuse();
  const std::string_view symbol = rest.substr(0, [&] {
    std::string_view after = rest;
    take_symbol(after, vocabulary.tokens());
    return rest.size() - after.size();
  }());
  rest.remove_prefix(symbol.size());
  float value = 0;
  if (rest.empty() || rest.front() != '=') refuse();
  rest.remove_prefix(1);
  if (rest.starts_with('+') && !rest.starts_with("+-")) rest.remove_prefix(1);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || end != rest.data() + rest.size() || std::isnan(value) || value > 1000 ||
      (value < -1000 && std::isfinite(value)))
    refuse();
  return {vocabulary.encode(symbol, "sample.bias").at(0), value};
}
}  // namespace

std::int64_t draw(std::span<const float> logits, double temperature, Random& random) {
  if (temperature == 0) return likeliest(logits);
  thread_local std::vector<float> cumulative;
  cumulative.resize(logits.size());
  // Less the largest logit, so that exp cannot overflow.
  exp_of(logits.data(), *std::max_element(logits.begin(), logits.end()),
         static_cast<float>(std::min(1 / temperature, 1e30)), cumulative.data(),
         static_cast<std::int64_t>(logits.size()));
  double sum = 0;
  for (float& value : cumulative) value = static_cast<float>(sum += static_cast<double>(value));
  const auto drawn = std::upper_bound(cumulative.begin(), cumulative.end(), static_cast<float>(random.uniform() * sum));
  return std::min<std::int64_t>(drawn - cumulative.begin(), static_cast<std::int64_t>(logits.size()) - 1);
}

void RecentSymbols::add(std::int64_t id) {
  if (window_ == 0) return;
  if (latest_.size() == window_) {
    --counts_[static_cast<std::size_t>(latest_.front())];
    latest_.pop_front();
  }
  latest_.push_back(id);
  ++counts_[static_cast<std::size_t>(id)];
}

Sampler::Sampler(const SampleConfig& config, const Vocabulary& vocabulary)
    : config_(config), symbols_(vocabulary.size()) {
  if (!config.bias.empty()) bias_.resize(static_cast<std::size_t>(symbols_));
  for (const std::string& text : config.bias) {
    const Bias bias = parse_bias(text, vocabulary);
    bias_[static_cast<std::size_t>(bias.id)] += bias.value;
  }
  if (!config.only.empty()) allowed_.resize(static_cast<std::size_t>(symbols_));
  for (const std::int64_t id : vocabulary.encode(config.only, "sample.only"))
    allowed_[static_cast<std::size_t>(id)] = 1;
  const auto possible = [&](std::size_t id) {
    return (bias_.empty() || std::isfinite(bias_[id])) && (allowed_.empty() || allowed_[id] != 0);
  };
  for (std::size_t id = 0; id < static_cast<std::size_t>(symbols_); ++id)
    if (possible(id)) return;
  fail_input("sample.bias and sample.only leave no character that could be written", "at least one",
             "leave some of them out");
}

bool Sampler::plain() const noexcept {
  const SampleConfig& c = config_;
  return bias_.empty() && allowed_.empty() && c.repetition_penalty == 1 && c.frequency_penalty == 0 && c.top_k == 0 &&
         c.top_p == 1 && c.min_p == 0 && c.typical == 1;
}

RecentSymbols Sampler::no_symbols_yet() const {
  const bool counted = config_.repetition_penalty != 1 || config_.frequency_penalty != 0;
  return {counted ? config_.penalty_window : 0, symbols_};
}

void Sampler::score(std::span<const float> logits, const RecentSymbols& recent, std::span<float> row) const {
  std::copy(logits.begin(), logits.end(), row.begin());
  normalize(row);
  if (!bias_.empty()) add_bias(row, bias_);
  if (!allowed_.empty()) keep_only(row, allowed_);
  if (config_.repetition_penalty != 1) penalize_repetition(row, recent.counts(), config_.repetition_penalty);
  if (config_.frequency_penalty != 0) penalize_frequency(row, recent.counts(), config_.frequency_penalty);
}

std::int64_t Sampler::operator()(std::span<const float> logits, const RecentSymbols& recent, Random& random) const {
  if (plain()) return draw(logits, config_.temperature, random);
  thread_local std::vector<float> row;
  row.resize(logits.size());
  score(logits, recent, row);
  if (config_.temperature == 0) return likeliest(row);
  if (config_.temperature != 1) apply_temperature(row, config_.temperature);
  if (config_.top_k > 0) keep_top_k(row, config_.top_k);
  if (config_.top_p < 1) keep_top_p(row, config_.top_p);
  if (config_.min_p > 0) keep_min_p(row, config_.min_p);
  if (config_.typical < 1) keep_typical(row, config_.typical);
  return draw_from(row, random);
}
}  // namespace charnn
