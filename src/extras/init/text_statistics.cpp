#include "extras/init/text_statistics.h"
#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>
#include "core/base/utf8.h"

namespace charnn {
namespace {
constexpr std::int64_t piece = 1 << 16;

/// Some text that stands for all of `split`: all of it, or evenly spread pieces.
std::vector<std::vector<std::int64_t>> sample_of(const Corpus& corpus, Split split, std::int64_t most) {
  std::vector<std::vector<std::int64_t>> pieces;
  const std::int64_t count = split.size() <= most ? 1 : most / piece;
  const std::int64_t length = split.size() <= most ? split.size() : piece;
  for (std::int64_t i = 0; i < count; ++i) {
    pieces.emplace_back(static_cast<std::size_t>(length));
    corpus.copy(split.begin + (count > 1 ? (split.size() - length) / (count - 1) * i : 0), pieces.back());
  }
  return pieces;
}

/// A number for a sequence of symbols; different ones for different sequences but for rare accidents (multiplicative
/// hashing with SplitMix64's finalizer).
std::uint64_t key_of(std::span<const std::int64_t> symbols) {
  std::uint64_t key = symbols.size();
  for (const std::int64_t symbol : symbols) {
    key = (key ^ (static_cast<std::uint64_t>(symbol) + 1)) * 0x9e3779b97f4a7c15u;
    key ^= key >> 29;
    key *= 0xbf58476d1ce4e5b9u;
    key ^= key >> 32;
  }
  return key;
}

/// Counts of what followed each context of one length.
class ContextCounts {
 public:
  void add(std::span<const std::int64_t> context, std::int64_t symbol) {
    const std::uint64_t key = key_of(context), pair = pair_key(key, symbol);
    if (pairs_.size() >= most_pairs && !pairs_.contains(pair)) return;
    Context& c = contexts_[key];
    ++c.total;
    if (++pairs_[pair] == 1) ++c.kinds;
  }

  /// Witten-Bell: the share that the counts get, and the rest for what `lower` says.
  double probability(std::span<const std::int64_t> context, std::int64_t symbol, double lower) const {
    const std::uint64_t key = key_of(context);
    const auto found = contexts_.find(key);
    if (found == contexts_.end()) return lower;
    const auto pair = pairs_.find(pair_key(key, symbol));
    const double count = pair == pairs_.end() ? 0 : static_cast<double>(pair->second);
    const double total = found->second.total, kinds = found->second.kinds;
    return (count + kinds * lower) / (total + kinds);
  }

  /// Mean of -log2(count of pair / count of context) over all that was added.
  double entropy_bits() const {
    double sum = 0, total = 0;
    for (const auto& [key, context] : contexts_) {
      sum += context.total * std::log2(static_cast<double>(context.total));
      total += context.total;
    }
    for (const auto& [key, count] : pairs_) sum -= count * std::log2(static_cast<double>(count));
    return total > 0 ? sum / total : 0;
  }

  std::int64_t contexts() const { return static_cast<std::int64_t>(contexts_.size()); }

 private:
  static constexpr std::size_t most_pairs = 1'500'000;  // bounds memory to some 150 MB, where all is noise

  static std::uint64_t pair_key(std::uint64_t context, std::int64_t symbol) {
    return (context ^ static_cast<std::uint64_t>(symbol)) * 0x94d049bb133111ebu;
  }

  struct Context {
    std::uint32_t total = 0, kinds = 0;
  };
  std::unordered_map<std::uint64_t, Context> contexts_;
  std::unordered_map<std::uint64_t, std::uint32_t> pairs_;
};

/// Adds every symbol of `text` with the `order` symbols before it.
void count(ContextCounts& counts, const std::vector<std::int64_t>& text, std::size_t order) {
  for (std::size_t i = order; i < text.size(); ++i) counts.add(std::span(text).subspan(i - order, order), text[i]);
}

double held_out_loss(const Corpus& corpus) {
  constexpr std::size_t longest = 4;
  constexpr std::int64_t train_chars = 1 << 22, test_chars = 100'000;
  std::array<ContextCounts, longest + 1> models;
  for (const auto& text : sample_of(corpus, corpus.train(), train_chars))
    for (std::size_t order = 0; order <= longest; ++order) count(models[order], text, order);
  std::vector<std::int64_t> test(static_cast<std::size_t>(std::min(corpus.val().size(), test_chars)));
  corpus.copy(corpus.val().begin, test);
  double nats = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    double p = 1.0 / static_cast<double>(corpus.vocabulary().size());
    for (std::size_t order = 0; order <= std::min(longest, i); ++order)
      p = models[order].probability(std::span(test).subspan(i - order, order), test[i], p);
    nats -= std::log(p);
  }
  return test.empty() ? 0 : nats / static_cast<double>(test.size());
}
}  // namespace

TextShape shape_of(const std::vector<std::string>& files) {
  TextShape shape;
  std::int64_t line = 0;
  for (const std::string& path : files) {
    std::string unfinished;  // a character that the next piece ends
    TextFile(path).read_pieces(Tokens::bytes, [&](std::string_view text) {
      shape.bytes += static_cast<std::int64_t>(text.size());
      shape.ends_with_newline = text.back() == '\n';
      for (const char c : text) {
        shape.carriage_returns += c == '\r' ? 1 : 0;
        shape.nuls += c == '\0' ? 1 : 0;
        shape.lines += c == '\n' ? 1 : 0;
        line = c == '\n' ? 0 : line + 1;
        shape.longest_line = std::max(shape.longest_line, line);
      }
      const std::string joined = unfinished.append(text);
      const std::size_t rest = unfinished_utf8(joined);
      shape.utf8 = shape.utf8 && !find_invalid_utf8(std::string_view(joined).substr(0, joined.size() - rest));
      unfinished = joined.substr(joined.size() - rest);
    });
    shape.utf8 = shape.utf8 && unfinished.empty();
  }
  if (shape.bytes > 0 && !shape.ends_with_newline) ++shape.lines;
  return shape;
}

TextEntropy entropy_of(const Corpus& corpus) {
  TextEntropy entropy;
  const auto pieces = sample_of(corpus, corpus.all(), 1 << 20);
  for (const auto& text : pieces) entropy.chars += static_cast<std::int64_t>(text.size());
  for (std::size_t order = 0; order < TextEntropy::orders; ++order) {
    ContextCounts counts;
    for (const auto& text : pieces) count(counts, text, order);
    entropy.bits[order] = counts.entropy_bits();
    entropy.contexts[order] = counts.contexts();
  }
  entropy.held_out = held_out_loss(corpus);
  return entropy;
}
}  // namespace charnn
