// A text of any bytes, as chars and as bytes; what is copied from it is compared with a plain decoding.
#include "core/data/corpus.h"
#include <algorithm>
#include <utf8.h>
#include "core/base/file_kind.h"
#include "core/base/files.h"
#include "core/base/utf8.h"
#include "extras/init/text_statistics.h"
#include "tests/fuzz/support.h"

using namespace charnn;
using fuzz::Numbers;
using fuzz::require;

namespace {

bool is_valid(std::string_view text) { return utf8::is_valid(text.begin(), text.end()); }

std::u32string decode(std::string_view text, Tokens tokens) {
  if (tokens == Tokens::chars) return utf8::utf8to32(text);
  std::u32string symbols;
  for (const char byte : text) symbols += static_cast<unsigned char>(byte);
  return symbols;
}

/// Every code point; making it for each input would take most of the time.
const Vocabulary& everything(Tokens tokens) {
  static const Vocabulary bytes = Vocabulary::all_bytes();
  static const Vocabulary chars(Tokens::chars, [] {
    std::vector<char32_t> all;
    for (char32_t symbol = 0; symbol < code_point_limit; ++symbol)
      if (symbol < 0xd800 || symbol >= 0xe000) all.push_back(symbol);
    return all;
  }());
  return tokens == Tokens::chars ? chars : bytes;
}

/// Compares some ranges of `text`, a TextFile or Corpus, with `symbols`.
template <class Copy>
void check_copies(const std::u32string& symbols, const Vocabulary& vocabulary, Numbers& numbers, Copy&& copy) {
  for (int i = 0; i < 4; ++i) {
    const std::size_t first = numbers.below(symbols.size() + 1);
    const std::size_t left = symbols.size() - first;
    std::vector<std::int64_t> ids(numbers.below(i % 2 == 0 ? left + 1 : std::min<std::size_t>(left, 8) + 1));
    copy(static_cast<std::int64_t>(first), ids);
    for (std::size_t j = 0; j < ids.size(); ++j)
      require(vocabulary.id(symbols[first + j]) == ids[j], "the ids are those of the text");
  }
}

void check_utf8(std::string_view text, bool utf8, Numbers& numbers) {
  const auto invalid = find_invalid_utf8(text);
  require(invalid.has_value() != utf8, "find_invalid_utf8 agrees with utfcpp");
  const std::string_view valid = text.substr(0, invalid.value_or(text.size()));
  require(utf8 || is_valid(valid), "all before the invalid place is valid");
  require(count_code_points(valid) == utf8::distance(valid.begin(), valid.end()), "characters are counted right");
  const std::string_view cut = valid.substr(0, numbers.below(valid.size() + 1));
  const std::size_t unfinished = unfinished_utf8(cut);
  require(unfinished <= 3 && is_valid(cut.substr(0, cut.size() - unfinished)), "a cut character is noticed");
}

void check_shape(const std::vector<std::string>& paths, std::string_view text, bool utf8) {
  const TextShape shape = shape_of(paths);
  std::int64_t longest = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = std::min(rest.find('\n'), rest.size());
    longest = std::max(longest, static_cast<std::int64_t>(length));
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  const bool ends = !text.empty() && text.back() == '\n';
  require(shape.bytes == static_cast<std::int64_t>(text.size()) && shape.utf8 == utf8, "bytes, UTF-8");
  require(shape.lines == std::count(text.begin(), text.end(), '\n') + (text.empty() || ends ? 0 : 1), "lines");
  require(shape.longest_line == longest && shape.ends_with_newline == ends, "longest line, last newline");
  require(shape.carriage_returns == std::count(text.begin(), text.end(), '\r'), "carriage returns");
  require(shape.nuls == std::count(text.begin(), text.end(), '\0'), "NULs");
}

/// Such a file is refused as chars, though it may be valid UTF-8.
bool is_utf16(const std::string& path) {
  const std::string text = read_file(path, "corpus");
  return kind_of_file(std::string_view(text).substr(0, 512), path).name.starts_with("UTF-16");
}

void check_text_file(const std::string& path, std::string_view text, bool utf8, Tokens tokens, Numbers& numbers) {
  TextFile file(path);
  std::string pieces;
  const bool taken = fuzz::accepts([&] { file.scan(tokens, [&](std::string_view piece) { pieces += piece; }); });
  require(taken == (tokens == Tokens::bytes || (utf8 && !is_utf16(path))), "just valid UTF-8 is taken as chars");
  if (!taken) return;
  require(pieces == text, "the pieces make up the text");
  const std::u32string symbols = decode(text, tokens);
  require(file.size() == static_cast<std::int64_t>(symbols.size()), "the size is right");
  check_copies(symbols, everything(tokens), numbers,
               [&](std::int64_t first, std::vector<std::int64_t>& out) { file.copy(first, everything(tokens), out); });
}

/// A few symbols of the text, so that they occur; or none.
std::string separator_of(const std::u32string& symbols, Tokens tokens, Numbers& numbers) {
  std::string separator;
  if (symbols.empty()) return separator;
  for (const char32_t symbol : symbols.substr(numbers.below(symbols.size()), numbers.below(3)))
    separator += everything(tokens).text(*everything(tokens).id(symbol));
  return separator;
}

void check_starts(const Corpus& corpus, const std::u32string& symbols, const std::string& separator, Numbers& numbers) {
  const auto begin = static_cast<std::int64_t>(numbers.below(symbols.size() + 1));
  const auto end =
      begin + static_cast<std::int64_t>(numbers.below(symbols.size() - static_cast<std::size_t>(begin) + 1));
  const std::vector<std::int64_t> ids = corpus.vocabulary().encode(separator, "separator");
  const std::size_t length = ids.size();
  std::vector<std::int64_t> starts;
  for (std::int64_t last = begin; last < end && length > 0; ++last) {
    const auto after = static_cast<std::size_t>(last) + 1;
    if (after < length) continue;
    const auto same = [&](std::size_t i) { return corpus.vocabulary().id(symbols[after - length + i]) == ids[i]; };
    std::size_t i = 0;
    while (i < length && same(i)) ++i;
    if (i == length) starts.push_back(last - begin);
  }
  std::vector<std::int64_t> text(static_cast<std::size_t>(end - begin));
  require(corpus.copy_with_starts(begin, text) == starts, "documents start after each separator");
}

void check_corpus(const std::vector<std::string>& paths, std::string_view text, bool utf8, Tokens tokens,
                  Numbers& numbers) {
  DataConfig config{.files = paths, .tokens = tokens};
  config.val_fraction = static_cast<double>(numbers.below(10)) / 10;
  config.test_fraction = static_cast<double>(numbers.below(10)) / 10;
  const bool readable = tokens == Tokens::bytes || (utf8 && std::none_of(paths.begin(), paths.end(), is_utf16));
  const std::u32string symbols = readable ? decode(text, tokens) : U"";
  config.document_separator = separator_of(symbols, tokens, numbers);
  std::optional<Corpus> corpus;
  fuzz::accepts([&] { corpus.emplace(config); });
  const bool valid = !text.empty() && readable && config.val_fraction + config.test_fraction < 1;
  require(corpus.has_value() == valid, "just a valid text is taken");
  if (!corpus) return;
  require(corpus->size() == static_cast<std::int64_t>(symbols.size()), "the size is right");
  check_copies(symbols, corpus->vocabulary(), numbers,
               [&](std::int64_t first, std::vector<std::int64_t>& out) { corpus->copy(first, out); });
  check_starts(*corpus, symbols, config.document_separator, numbers);
  const Split train = corpus->train(), val = corpus->val(), test = corpus->test();
  require(train.begin == 0 && train.begin <= train.end && train.end == val.begin && val.begin <= val.end &&
              val.end == test.begin && test.begin <= test.end && test.end == corpus->size(),
          "the parts make up the whole");

  std::vector<char32_t> fewer = corpus->vocabulary().symbols();
  fewer.pop_back();
  if (tokens == Tokens::bytes || fewer.empty()) return;
  require(!fuzz::accepts([&] { Corpus(config, Vocabulary(tokens, fewer)); }), "unknown characters are refused");
}

/// The input itself, or, so that blocks of 4096 characters and pieces of 1 MiB end within it, a longer text.
std::string lengthened(std::string_view input, Numbers& numbers) {
  std::string text(input);
  if (input.empty()) return text;
  if (numbers.below(16384) == 0) {
    const std::size_t begin = (std::size_t{1} << 20) - numbers.below(2 * input.size());
    text.insert(0, begin, 'x');
  } else if (numbers.below(16) == 0) {
    const std::size_t end = 4096 * (1 + numbers.below(4));
    while (text.size() < end) text += input;
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile first, second;
  Numbers numbers(fuzz::text_of(data, size));
  const std::string text = lengthened(fuzz::text_of(data, size), numbers);
  const bool utf8 = is_valid(text);
  check_utf8(text, utf8, numbers);
  const std::vector<std::string> one{first.holding(text)};
  check_shape(one, text, utf8);
  for (const Tokens tokens : {Tokens::chars, Tokens::bytes}) check_text_file(one[0], text, utf8, tokens, numbers);

  // A corpus takes a millisecond, for its marks of all code points.
  if (numbers.below(1024) != 0) return 0;
  const std::string_view begin = std::string_view(text).substr(0, numbers.below(text.size() + 1));
  const std::string_view end = std::string_view(text).substr(begin.size());
  const std::vector<std::string> two{first.holding(begin), second.holding(end)};
  const bool both = is_valid(begin) && is_valid(end);
  check_shape(two, text, both);
  for (const Tokens tokens : {Tokens::chars, Tokens::bytes}) check_corpus(two, text, both, tokens, numbers);
  return 0;
}
