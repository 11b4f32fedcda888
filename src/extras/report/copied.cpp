#include "extras/report/copied.h"
#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace charnn {
namespace {
/// The suffix automaton of a text, which also notes which of the text's substrings occur in another text.
class SuffixAutomaton {
 public:
  explicit SuffixAutomaton(std::span<const std::int64_t> text) {
    states_.reserve(2 * text.size() + 1);
    states_.push_back({});
    for (const std::int64_t symbol : text) extend(symbol);
  }

  /// Reads the next symbol of the other text. Returns the length of the longest substring that ends there and occurs in
  /// this text.
  std::int64_t follow(std::int64_t symbol) {
    auto next = states_[state_].next.find(symbol);
    while (next == states_[state_].next.end()) {
      if (state_ == 0) return length_ = 0;
      state_ = states_[state_].link;
      length_ = states_[state_].length;
      next = states_[state_].next.find(symbol);
    }
    state_ = next->second;
    ++length_;
    states_[state_].found = std::max(states_[state_].found, length_);
    return length_;
  }

  /// After the last follow(): with a substring, all its suffixes have been found.
  void spread() {
    std::vector<std::size_t> order(states_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return states_[a].length > states_[b].length; });
    for (const std::size_t state : order)
      if (states_[state].found > 0 && state != 0)
        states_[states_[state].link].found = states_[states_[state].link].length;
  }

  /// Whether the `length` symbols of this text before offset `end` were found, after spread().
  bool was_found(std::int64_t end, std::int64_t length) const {
    std::size_t state = prefixes_[end - 1];
    while (states_[states_[state].link].length >= length) state = states_[state].link;
    return states_[state].found >= length;
  }

 private:
  /// Stands for the substrings that end at the same set of places: the longest has `length` symbols, the others are its
  /// suffixes longer than those of the state `link`.
  struct State {
    std::int64_t length = 0;
    std::size_t link = 0;
    std::int64_t found = 0;  ///< length of the longest one found
    std::map<std::int64_t, std::size_t> next;
  };

  void extend(std::int64_t symbol) {
    const std::size_t added = states_.size();
    states_.push_back({states_[last_].length + 1, 0, 0, {}});
    std::size_t p = std::exchange(last_, added);
    prefixes_.push_back(added);
    for (; states_[p].next.try_emplace(symbol, added).second; p = states_[p].link)
      if (p == 0) return;
    const std::size_t q = states_[p].next.at(symbol);
    if (states_[q].length == states_[p].length + 1) {
      states_[added].link = q;
      return;
    }
    const std::size_t copy = states_.size();
    states_.push_back({states_[p].length + 1, states_[q].link, 0, states_[q].next});
    states_[q].link = states_[added].link = copy;
    for (; states_[p].next.at(symbol) == q; p = states_[p].link) {
      states_[p].next[symbol] = copy;
      if (p == 0) break;
    }
  }

  std::vector<State> states_;
  std::vector<std::size_t> prefixes_;  ///< state of each prefix of the text
  std::size_t last_ = 0;
  std::size_t state_ = 0;  ///< of follow()
  std::int64_t length_ = 0;
};
}  // namespace

CopyReport find_copies(std::span<const std::int64_t> text, const Corpus& corpus) {
  SuffixAutomaton automaton(text);
  CopyReport report;
  std::vector<std::int64_t> chunk;
  for (std::int64_t at = 0; at < corpus.size();) {
    chunk.resize(std::min<std::int64_t>(corpus.size() - at, 1 << 16));
    corpus.copy(at, chunk);
    for (const std::int64_t symbol : chunk) {
      const std::int64_t length = automaton.follow(symbol);
      ++at;
      if (length <= report.longest) continue;
      report.longest = length;
      report.longest_in_corpus = at - length;
    }
  }
  automaton.spread();
  const std::int64_t size = std::ssize(text);
  std::int64_t end = report.longest;
  while (end > 0 && !automaton.was_found(end, report.longest)) ++end;
  report.longest_in_text = end - report.longest;
  for (std::size_t i = 0; i < report.lengths.size(); ++i) {
    const std::int64_t length = report.lengths[i], places = std::max<std::int64_t>(size - length + 1, 0);
    std::int64_t found = 0;
    for (end = length; end <= size; ++end) found += automaton.was_found(end, length) ? 1 : 0;
    report.shares[i] = static_cast<double>(found) / static_cast<double>(places);
  }
  return report;
}
}  // namespace charnn
