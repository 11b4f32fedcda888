#include "extras/init/text_statistics.h"
#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>
#include "core/base/utf8.h"

namespace charnn {
namespace {
using Symbols = std::span<const std::int64_t>;

/// All of `split`, or evenly spread pieces that have `most` symbols together.
std::vector<std::vector<std::int64_t>> sample_of(const Corpus& corpus, Split split, std::int64_t most) {
  constexpr std::int64_t piece = 1 << 16;
  const bool whole = split.size() <= most;
  std::vector<std::vector<std::int64_t>> pieces(whole ? 1 : most / piece);
  std::int64_t begin = split.begin;
  for (auto& text : pieces) {
    text.resize(whole ? split.size() : piece);
    corpus.copy(begin, text);
    begin += whole ? 0 : (split.size() - piece) / (most / piece - 1);
  }
  return pieces;
}

/// A hash of some symbols (multiplicative hashing with SplitMix64's finalizer); collisions are too rare to matter.
std::uint64_t key_of(Symbols symbols) {
  std::uint64_t key = symbols.size();
  for (const std::int64_t symbol : symbols) {
    key = (key ^ (static_cast<std::uint64_t>(symbol) + 1)) * 0x9e3779b97f4a7c15u;
    key ^= key >> 29;
    key *= 0xbf58476d1ce4e5b9u;
    key ^= key >> 32;
  }
  return key;
}

/// Counts which symbols followed each context of one length. An n-gram is a context and the symbol after it.
class NgramCounts {
 public:
  /// Adds all n-grams of `text` with contexts of `order` symbols.
  void add(Symbols text, std::size_t order) {
    for (std::size_t i = 0; i + order < text.size(); ++i) {
      const std::uint64_t ngram = key_of(text.subspan(i, order + 1));
      if (ngrams_.size() >= most_ngrams && !ngrams_.contains(ngram)) continue;
      Context& context = contexts_[key_of(text.subspan(i, order))];
      ++context.total;
      if (++ngrams_[ngram] == 1) ++context.kinds;
    }
  }

  /// Probability of the last symbol by Witten-Bell interpolation with `lower`, that of the next shorter context.
  double probability(Symbols ngram, double lower) const {
    const auto context = contexts_.find(key_of(ngram.first(ngram.size() - 1)));
    if (context == contexts_.end()) return lower;
    const auto found = ngrams_.find(key_of(ngram));
    const double count = found == ngrams_.end() ? 0 : found->second;
    const double total = context->second.total, kinds = context->second.kinds;
    return (count + kinds * lower) / (total + kinds);
  }

  /// Mean of -log2(count of n-gram / count of context) over all that was added.
  double entropy_bits() const {
    double sum = 0, total = 0;
    for (const auto& [key, context] : contexts_) {
      sum += context.total * std::log2(static_cast<double>(context.total));
      total += context.total;
    }
    for (const auto& [key, count] : ngrams_) sum -= count * std::log2(static_cast<double>(count));
    return total > 0 ? sum / total : 0;
  }

  std::int64_t contexts() const { return std::ssize(contexts_); }

 private:
  static constexpr std::size_t most_ngrams = 1'500'000;  // bounds memory to some 150 MB, where all is noise

  struct Context {
    std::uint32_t total = 0, kinds = 0;
  };
  std::unordered_map<std::uint64_t, Context> contexts_;
  std::unordered_map<std::uint64_t, std::uint32_t> ngrams_;
};

double held_out_loss(const Corpus& corpus) {
  constexpr std::size_t longest = 4;
  constexpr std::int64_t train_chars = 1 << 22, test_chars = 100'000;
  std::array<NgramCounts, longest + 1> models;
  for (const auto& text : sample_of(corpus, corpus.train(), train_chars))
    for (std::size_t order = 0; order <= longest; ++order) models[order].add(text, order);
  std::vector<std::int64_t> test(std::min(corpus.val().size(), test_chars));
  corpus.copy(corpus.val().begin, test);
  double nats = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    double p = 1.0 / static_cast<double>(corpus.vocabulary().size());
    for (std::size_t order = 0; order <= std::min(longest, i); ++order)
      p = models[order].probability(Symbols(test).subspan(i - order, order + 1), p);
    nats -= std::log(p);
  }
  return test.empty() ? 0 : nats / static_cast<double>(test.size());
}
}  // namespace

TextShape shape_of(const std::vector<std::string>& files) {
  TextShape shape;
  std::string line, before;  // at most `most` bytes of each
  constexpr std::size_t most = 1 << 12;
  std::int64_t length = 0;
  const auto end_line = [&] {
    ++shape.lines;
    shape.blank_lines += length == 0 ? 1 : 0;
    shape.rising_lines += line >= before ? 1 : 0;
    std::swap(before, line);
    line.clear();
    length = 0;
  };
  for (const std::string& path : files) {
    std::string unfinished;  // the beginning of a character that the next piece ends
    TextFile(path).read_pieces(Tokens::bytes, [&](std::string_view text) {
      shape.bytes += std::ssize(text);
      shape.ends_with_newline = text.back() == '\n';
      for (const char c : text) {
        shape.carriage_returns += c == '\r' ? 1 : 0;
        shape.nuls += c == '\0' ? 1 : 0;
        if (c == '\n') {
          end_line();
          continue;
        }
        shape.longest_line = std::max(shape.longest_line, ++length);
        if (line.size() < most) line += c;
      }
      const std::string joined = unfinished.append(text);
      unfinished = joined.substr(joined.size() - unfinished_utf8(joined));
      shape.utf8 =
          shape.utf8 && !find_invalid_utf8(std::string_view(joined).substr(0, joined.size() - unfinished.size()));
    });
    shape.utf8 = shape.utf8 && unfinished.empty();
  }
  if (shape.bytes > 0 && !shape.ends_with_newline) end_line();
  return shape;
}

TextEntropy entropy_of(const Corpus& corpus) {
  TextEntropy entropy;
  const auto pieces = sample_of(corpus, corpus.all(), 1 << 20);
  for (const auto& text : pieces) entropy.chars += std::ssize(text);
  for (std::size_t order = 0; order < TextEntropy::orders; ++order) {
    NgramCounts counts;
    for (const auto& text : pieces) counts.add(text, order);
    entropy.bits[order] = counts.entropy_bits();
    entropy.contexts[order] = counts.contexts();
  }
  entropy.held_out = held_out_loss(corpus);
  return entropy;
}
}  // namespace charnn
