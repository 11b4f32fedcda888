#include "core/sample/sampler.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/sample/filters.h"

namespace charnn {
Section describe(SampleConfig& c) {
  const Range share{.min = 0, .max = 1, .min_excluded = true};
  return {"sample",
          "Writing text",
          {Field::real("temperature", c.temperature, from_to(0, 100),
                       "below 1 favours likely characters, above 1 makes text more random; 0: always the most likely")
               .shown_first(),
           Field::integer("length", c.length, at_least(0), "characters to write").shown_first(),
           Field::integer("top_k", c.top_k, at_least(0), "draw from the K most likely characters only; 0: from all")
               .shown_first(),
           Field::real("top_p", c.top_p, share,
                       "nucleus sampling: draw from the fewest characters that have this share of the probability")
               .shown_first(),
           Field::real("min_p", c.min_p, from_to(0, 1),
                       "draw only from characters at least this share as likely as the most likely one"),
           Field::real("typical", c.typical, share,
                       "locally typical sampling: characters with -log p nearest to the entropy, up to this share"),
           Field::real("repetition_penalty", c.repetition_penalty, from_to(0.01, 100),
                       "power of the probability of characters among the last penalty_window; above 1: less likely"),
           Field::real("frequency_penalty", c.frequency_penalty, from_to(-100, 100),
                       "subtracted from a character's log probability per occurrence among the last penalty_window"),
           Field::integer("penalty_window", c.penalty_window, at_least(1),
                          "number of latest characters, including the prompt's, that the penalties count"),
           Field::text_list("bias", c.bias,
                            "added to a character's log probability, e.g. e=-2; -inf: never; may be given repeatedly")
               .with_value_name("CHAR=NUMBER"),
           Field::text("only", c.only, "write only these characters; empty: any"),
           Field::integer("beams", c.beams, from_to(1, 1024),
                          "above 1: beam search of this width for the most likely text, instead of drawing"),
           Field::choice("weights", c.weights, step_weights_names,
                         "number format; auto: int8 (faster) for networks too large for a core's cache, else fp32")}};
}

namespace {
/// Parses "e=-2": a symbol, "=" and a number.
std::pair<std::int64_t, float> parse_bias(const std::string& text, const Vocabulary& vocabulary) {
  require_utf8(text, vocabulary.tokens(), "sample.bias");
  std::string_view rest = text;
  if (!rest.empty()) take_symbol(rest, vocabulary.tokens());
  const std::string_view symbol = std::string_view(text).substr(0, text.size() - rest.size());
  float value = NAN;
  if (rest.starts_with('=')) {
    rest.remove_prefix(rest.starts_with("=+") && !rest.starts_with("=+-") ? 2 : 1);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc() || end != rest.data() + rest.size()) value = NAN;
  }
  if (!(std::abs(value) <= 1000) && value != -INFINITY)
    fail_input(fmt::format("sample.bias \"{}\"", text), "a character, =, and a number from -1000 to 1000 or -inf",
               "for example --bias e=-2 or --bias '==1.5'");
  return {vocabulary.encode(symbol, "sample.bias").at(0), value};
}
}  // namespace

std::int64_t draw(std::span<const float> logits, double temperature, Random& random) {
  if (temperature == 0) return likeliest(logits);
  const float largest = *std::max_element(logits.begin(), logits.end());
  return draw_from(logits, random, largest, static_cast<float>(std::min(1 / temperature, 1e30)));
}

void RecentSymbols::add(std::int64_t id) {
  if (window_ == 0) return;
  if (latest_.size() == window_) {
    --counts_[latest_.front()];
    latest_.pop_front();
  }
  latest_.push_back(id);
  ++counts_[id];
}

Sampler::Sampler(const SampleConfig& config, const Vocabulary& vocabulary)
    : config_(config), symbols_(vocabulary.size()) {
  if (config.bias.empty() && config.only.empty()) return;
  bias_.resize(symbols_, config.only.empty() ? 0 : -INFINITY);
  for (const std::int64_t id : vocabulary.encode(config.only, "sample.only")) bias_[id] = 0;
  for (const std::string& text : config.bias) {
    const auto [id, value] = parse_bias(text, vocabulary);
    bias_[id] += value;
  }
  if (std::none_of(bias_.begin(), bias_.end(), [](float bias) { return std::isfinite(bias); }))
    fail_input("sample.bias and sample.only rule out every character", "at least one allowed character",
               "leave some of them out");
}

RecentSymbols Sampler::no_symbols_yet() const {
  const bool counted = config_.repetition_penalty != 1 || config_.frequency_penalty != 0;
  return {counted ? config_.penalty_window : 0, symbols_};
}

void Sampler::score(std::span<const float> logits, const RecentSymbols& recent, std::span<float> row) const {
  std::copy(logits.begin(), logits.end(), row.begin());
  normalize(row);
  if (!bias_.empty()) add_bias(row, bias_);
  if (config_.repetition_penalty != 1) penalize_repetition(row, recent.counts(), config_.repetition_penalty);
  if (config_.frequency_penalty != 0) penalize_frequency(row, recent.counts(), config_.frequency_penalty);
}

void Sampler::weigh(std::span<const float> logits, const RecentSymbols& recent, std::span<float> row) const {
  const SampleConfig& c = config_;
  score(logits, recent, row);
  if (c.temperature == 0) {
    const std::int64_t best = likeliest(row);
    std::ranges::fill(row, -INFINITY);
    row[best] = 0;
    return;
  }
  if (c.temperature != 1) apply_temperature(row, c.temperature);
  if (c.top_k > 0) keep_top_k(row, c.top_k);
  if (c.top_p < 1) keep_top_p(row, c.top_p);
  if (c.min_p > 0) keep_min_p(row, c.min_p);
  if (c.typical < 1) keep_typical(row, c.typical);
}

std::int64_t Sampler::operator()(std::span<const float> logits, const RecentSymbols& recent, Random& random) const {
  const SampleConfig& c = config_;
  const bool plain = bias_.empty() && c.repetition_penalty == 1 && c.frequency_penalty == 0 && c.top_k == 0 &&
                     c.top_p == 1 && c.min_p == 0 && c.typical == 1;
  if (plain) return draw(logits, c.temperature, random);
  thread_local std::vector<float> row;
  row.resize(logits.size());
  weigh(logits, recent, row);
  return c.temperature == 0 ? likeliest(row) : draw_from(row, random);
}
}  // namespace charnn
