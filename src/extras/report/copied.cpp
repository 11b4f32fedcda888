#include "extras/report/copied.h"
#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

namespace charnn {
namespace {
/// Every state stands for stretches of the text that end at the same places: the longest of them has `length` symbols,
/// and those too short to do so are those of the state `link`.
class SuffixAutomaton {
 public:
  explicit SuffixAutomaton(std::span<const std::int64_t> text) {
    states_.reserve(2 * text.size() + 1);
    states_.push_back({});
    for (const std::int64_t symbol : text) extend(symbol);
  }

  /// Takes the next symbol of another text: moves `state` to that of the longest stretch, `length` symbols, which ends
  /// there and occurs in this text.
  void follow(std::int64_t symbol, std::size_t& state, std::int64_t& length) const {
    for (;;) {
      const auto next = states_[state].next.find(symbol);
      if (next != states_[state].next.end()) {
        state = next->second;
        ++length;
        return;
      }
      if (state == 0) {
        length = 0;
        return;
      }
      state = states_[state].link;
      length = states_[state].length;
    }
  }

  /// Notes that a stretch of `length` symbols of `state` was met.
  void meet(std::size_t state, std::int64_t length) { states_[state].met = std::max(states_[state].met, length); }

  /// What was met is true of the ends of each stretch, too. After the last meet().
  void spread() {
    std::vector<std::size_t> order(states_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return states_[a].length > states_[b].length; });
    for (const std::size_t state : order)
      if (states_[state].met > 0 && state != 0) states_[states_[state].link].met = states_[states_[state].link].length;
  }

  /// Whether the stretch of `length` symbols that ends with the text's symbol `last` was met.
  bool was_met(std::size_t last, std::int64_t length) const {
    std::size_t state = prefixes_[last];
    while (states_[states_[state].link].length >= length) state = states_[state].link;
    return states_[state].met >= length;
  }

 private:
  struct State {
    std::int64_t length = 0;
    std::size_t link = 0;
    std::int64_t met = 0;
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
  std::vector<std::size_t> prefixes_;  ///< state of the text up to each symbol
  std::size_t last_ = 0;
};
}  // namespace

CopyReport find_copies(std::span<const std::int64_t> text, const Corpus& corpus) {
  SuffixAutomaton automaton(text);
  CopyReport report;
  std::size_t state = 0;
  std::int64_t length = 0;
  std::vector<std::int64_t> piece, stretch;
  for (std::int64_t at = 0; at < corpus.size(); at += static_cast<std::int64_t>(piece.size())) {
    piece.resize(static_cast<std::size_t>(std::min<std::int64_t>(corpus.size() - at, 1 << 16)));
    corpus.copy(at, piece);
    for (std::size_t i = 0; i < piece.size(); ++i) {
      automaton.follow(piece[i], state, length);
      automaton.meet(state, length);
      if (length <= report.longest) continue;
      report.longest = length;
      report.longest_in_corpus = at + static_cast<std::int64_t>(i) + 1 - length;
    }
  }
  automaton.spread();
  const auto size = static_cast<std::int64_t>(text.size());
  for (std::int64_t last = report.longest - 1; last >= 0 && last < size; ++last)
    if (report.longest > 0 && automaton.was_met(static_cast<std::size_t>(last), report.longest)) {
      report.longest_in_text = last + 1 - report.longest;
      break;
    }
  for (std::size_t i = 0; i < report.lengths.size(); ++i) {
    const std::int64_t n = report.lengths[i], places = size - n + 1;
    std::int64_t met = 0;
    for (std::int64_t last = n - 1; last < size; ++last)
      met += automaton.was_met(static_cast<std::size_t>(last), n) ? 1 : 0;
    report.shares[i] =
        places > 0 ? static_cast<double>(met) / static_cast<double>(places) : std::numeric_limits<double>::quiet_NaN();
  }
  return report;
}
}  // namespace charnn
