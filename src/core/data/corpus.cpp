#include "core/data/corpus.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/data/text_files.h"

namespace charnn {
namespace {
/// Reads the text again, if it has unknown characters, to say where they are: as an error or, if `policy` says what
/// becomes of them, as a note.
std::string find_unknown(const std::vector<char32_t>& characters, const Vocabulary& vocabulary,
                         const std::vector<TextFile>& files, OnUnknown policy) {
  if (std::all_of(characters.begin(), characters.end(), [&](char32_t c) { return vocabulary.id(c); })) return "";
  UnknownSymbols unknown;
  std::int64_t position = 0;
  for (const TextFile& file : files)
    file.read_pieces(Tokens::chars, [&](std::string_view rest) {
      for (; !rest.empty(); ++position) {
        const char32_t symbol = take_code_point(rest);
        if (!vocabulary.id(symbol)) unknown.add(symbol, position);
      }
    });
  return unknown.settle(vocabulary, files.size() == 1 ? files[0].file().path() : "the corpus", policy);
}
[[noreturn]] void fail_no_separator(const DataConfig& config) {
  if (config.documents == Documents::files)
    fail_input("data.documents = \"files\" with a text of one file", "two files or more, each a document",
               "name more of them, or a folder; or leave it out");
  fail_input(
      fmt::format("data.document_separator \"{}\" never occurs in the text", on_one_line(config.document_separator)),
      "a string that stands between two documents",
      "look at the text's line breaks (\\r\\n in files from Windows), or leave it out");
}
}  // namespace

Section describe(DataConfig& c) {
  return {"data",
          "The text to learn from",
          {Field::text_list(
               "files", c.files,
               "texts, joined in the order given: files, folders, patterns ('src/*.py'), @LIST (a file with their "
               "names), - (stdin); paths are relative to the current folder")
               .shown_first()
               .with_flag("data")
               .with_value_name("FILE"),
           Field::choice("tokens", c.tokens, token_names,
                         "chars: a symbol is a Unicode code point of UTF-8 text; bytes: a symbol is a byte of any file")
               .fixed_for_run(),
           Field::real("val_fraction", c.val_fraction, from_to_below(0, 1),
                       "share of the text kept for validation, after the training part; 0: none")
               .fixed_for_run(),
           Field::real("test_fraction", c.test_fraction, from_to_below(0, 1),
                       "share of the text kept for testing, at its end; never used in training")
               .fixed_for_run(),
           Field::text("document_separator", c.document_separator,
                       "string between two documents, for example a blank line (in a shell: $'\\n\\n'): the state is "
                       "reset after it, and no gradient crosses it; empty: one continuous text")
               .fixed_for_run(),
           Field::choice("documents", c.documents, documents_names,
                         "files: each file is a document, and the separator a symbol of its own (U+001C)")
               .fixed_for_run(),
           Field::choice("order", c.order, order_names,
                         "shuffled: documents are read in a random order, and the validation part is some of them; in "
                         "a new run the default where there are documents")
               .fixed_for_run(),
           Field::integer("shuffle_seed", c.shuffle_seed, at_least(0), "seed of that order").fixed_for_run()}};
}

Corpus::Corpus(const DataConfig& config, std::optional<Vocabulary> vocabulary, std::optional<OnUnknown> unknown)
    : config_(config) {
  if (config.val_fraction + config.test_fraction >= 1)
    fail_input(fmt::format("data.val_fraction {} + data.test_fraction {} leave nothing to train on",
                           config.val_fraction, config.test_fraction),
               "a sum below 1", "lower one of them");
  if (config.files.empty())
    fail_input("no corpus given", "at least one text file", "add --data FILE, or data.files in the config file");
  const Tokens tokens = vocabulary ? vocabulary->tokens() : config.tokens;
  TextFiles found = find_text_files(config.files, tokens);
  note_ = std::move(found.note);
  for (std::string& path : found.paths) files_.emplace_back(std::move(path));
  between_files_ = config.documents == Documents::files ? 1 : 0;
  const bool known = vocabulary.has_value();
  const OnUnknown policy = unknown.value_or(OnUnknown::error);
  scan(tokens, vocabulary && unknown ? &*vocabulary : nullptr, policy);
  if (vocabulary) add_note(find_unknown(characters_, *vocabulary, files_, policy));
  if (size_ == 0)
    fail_input(fmt::format("corpus {} is empty", config.files.front()), "a text with at least a few hundred characters",
               config.files.front() == "-" ? "pipe the text into the program" : "choose another file");
  const auto occurs = [&](char32_t c) { return std::ranges::binary_search(characters_, c); };
  if (occurs(U'\r') && !occurs(U'\n'))
    add_note(
        "the lines of the text end in CR alone, which most programs do not take for a line break: to have others, "
        "tr '\\r' '\\n' < OLD > NEW");
  if (tokens == Tokens::bytes)
    vocabulary = Vocabulary::all_bytes();
  else if (!vocabulary)
    vocabulary = Vocabulary(tokens, characters_);
  vocabulary_ = std::move(vocabulary);
  constexpr const char* what = "data.document_separator";
  const bool may_occur = encode(*vocabulary_, config.document_separator, what, OnUnknown::skip).note.empty();
  if (!known && !may_occur) fail_no_separator(config);
  separator_ = vocabulary_->encode(config.document_separator, what);
  divide();
}

void Corpus::require_separator() const {
  if (document_begins(2).size() < 2) fail_no_separator(config_);
}

void Corpus::add_note(const std::string& more) { note_ += (note_.empty() || more.empty() ? "" : "; ") + more; }

/// Shuffles documents if asked, and cuts the text into its parts.
void Corpus::divide() {
  if (config_.order == Order::shuffled && has_documents()) {
    std::vector<std::int64_t> begins = document_begins(static_cast<std::size_t>(size_));
    const bool whole = begins.back() == size_;  // the text ends with a separator
    if (whole) begins.pop_back();
    if (begins.size() < 2) return divide_by_length();
    order_.emplace(begins, size_, whole, static_cast<std::uint64_t>(config_.shuffle_seed));
  }
  divide_by_length();
  if (!order_) return;
  test_begin_ = config_.test_fraction > 0 ? order_->next_begin(test_begin_) : size_;
  if (config_.val_fraction == 0)
    val_begin_ = test_begin_;
  else
    val_begin_ = std::min(order_->next_begin(val_begin_), order_->last_begin(test_begin_));  // at least a document
}

void Corpus::divide_by_length() {
  const auto part = [&](double fraction) { return static_cast<std::int64_t>(static_cast<double>(size_) * fraction); };
  test_begin_ = size_ - part(config_.test_fraction);
  val_begin_ = test_begin_ - part(config_.val_fraction);
}

void Corpus::scan(Tokens tokens, const Vocabulary* known, OnUnknown unknown) {
  Hash64 hash;
  std::vector<std::uint8_t> seen(code_point_limit);
  for (TextFile& file : files_) {
    if (!file_begins_.empty()) size_ += between_files_;
    file_begins_.push_back(size_);
    const auto look = [&](std::string_view piece) {
      hash.add(piece);
      if (tokens == Tokens::chars) mark_code_points(piece, seen);
      if (between_files_ > 0 && piece.find(file_separator) != std::string_view::npos)
        fail_input(file.file().path() + " has the symbol U+001C, which separates documents that are files",
                   "files without it", "leave that file out, or remove the symbol");
    };
    file.scan(tokens, look, known, unknown);
    size_ += file.size();
    fingerprint_.bytes += file.file().size();
  }
  if (between_files_ > 0) seen[static_cast<unsigned char>(*file_separator)] = 1;
  fingerprint_.hash = hash.value();
  for (char32_t symbol = 0; symbol < code_point_limit; ++symbol)
    if (seen[symbol] != 0) characters_.push_back(symbol);
}

void Corpus::use(Vocabulary vocabulary, const std::string& document_separator) {
  find_unknown(characters_, vocabulary, files_, OnUnknown::error);
  vocabulary_ = std::move(vocabulary);
  separator_ = vocabulary_->encode(document_separator, "data.document_separator");
  divide();
}

/// Where documents begin, in the text's own order: the first `most` of them. The end of the text counts as a beginning
/// if a separator stands before it.
std::vector<std::int64_t> Corpus::document_begins(std::size_t most) const {
  std::vector<std::int64_t> begins{0}, text(1 << 16);
  const auto length = static_cast<std::int64_t>(separator_.size());
  for (std::int64_t first = 0; first < size_ && begins.size() < most; first += std::ssize(text) - length + 1) {
    text.resize(std::min<std::size_t>(text.size(), static_cast<std::size_t>(size_ - first)));
    copy_text(first, text);
    for (auto at = text.begin(); (at = std::search(at, text.end(), separator_.begin(), separator_.end())) != text.end();
         ++at)
      if (const std::int64_t begin = first + (at - text.begin()) + length; begin >= begins.back() + length)
        begins.push_back(begin);
    if (first + std::ssize(text) == size_) break;
  }
  return begins;
}

std::vector<std::int64_t> Corpus::opening() const {
  constexpr std::int64_t length = 100, reach = 1 << 16;
  if (has_documents()) return {};
  const std::int64_t begin = train().size() / 2;
  std::vector<std::int64_t> ids(static_cast<std::size_t>(std::min(reach, train().end - begin)));
  copy(begin, ids);
  const auto up_to = [&](auto end) { return std::vector(end - std::min(length, end - ids.begin()), end); };
  const auto end = ids.begin() + std::min(length, std::ssize(ids));
  if (const auto newline = vocabulary_->id(U'\n')) {  // a paragraph, if there are any
    const std::vector<std::int64_t> blank_line{*newline, *newline};
    if (const auto found = std::search(end, ids.end(), blank_line.begin(), blank_line.end()); ids.end() - found > 1)
      return up_to(found + 2);
  }
  for (const char32_t last : {U'\n', U'\r', U'\u2028', U'.', U' '})
    if (const auto id = vocabulary_->id(last))
      if (const auto found = std::find(end, ids.end(), *id); found != ids.end()) return up_to(found + 1);
  return up_to(end);
}

std::vector<double> Corpus::frequencies(Split split, double prior) const {
  constexpr std::int64_t enough = 1 << 20, piece = 1 << 12;
  std::vector<double> counts(static_cast<std::size_t>(vocabulary_->size()), prior);
  std::vector<std::int64_t> ids;
  double total = prior * static_cast<double>(counts.size());
  const std::int64_t step = std::max(piece, split.size() / (enough / piece));
  for (std::int64_t first = split.begin; first < split.end; first += step) {
    ids.resize(static_cast<std::size_t>(std::min(piece, split.end - first)));
    copy(first, ids);
    for (const std::int64_t id : ids) ++counts[static_cast<std::size_t>(id)];
    total += static_cast<double>(ids.size());
  }
  for (double& count : counts) count /= total;
  return counts;
}

double Corpus::unlikeness() const {
  const std::vector<double> here = frequencies(val(), 0.5), there = frequencies(train(), 0.5);
  double divergence = -static_cast<double>(here.size()) / static_cast<double>(val().size() + 1);  // twice the expected
  for (std::size_t i = 0; i < here.size(); ++i) divergence += here[i] * std::log(here[i] / there[i]);
  return divergence;
}

std::vector<std::int64_t> Corpus::copy_with_starts(std::int64_t first, std::span<std::int64_t> out) const {
  std::vector<std::int64_t> starts;
  if (!has_documents()) {
    copy(first, out);
    return starts;
  }
  // A separator may begin before the first symbol of `out`.
  const auto last = static_cast<std::int64_t>(separator_.size()) - 1;
  const std::int64_t before = std::min(first, last);
  std::vector<std::int64_t> text(before + out.size());
  copy(first - before, text);
  std::copy(text.begin() + before, text.end(), out.begin());
  for (auto at = text.begin(); (at = std::search(at, text.end(), separator_.begin(), separator_.end())) != text.end();
       ++at)
    starts.push_back(at - text.begin() + last - before);
  return starts;
}

void Corpus::copy(std::int64_t first, std::span<std::int64_t> out) const {
  if (!order_) return copy_text(first, out);
  order_->pieces(first, std::ssize(out), [&](std::int64_t place, std::int64_t count) {
    copy_text(place, out.first(static_cast<std::size_t>(count)));
    out = out.subspan(static_cast<std::size_t>(count));
  });
}

void Corpus::copy_text(std::int64_t first, std::span<std::int64_t> out) const {
  const auto after = std::upper_bound(file_begins_.begin(), file_begins_.end(), first);
  for (auto i = static_cast<std::size_t>(after - file_begins_.begin()) - 1; !out.empty(); ++i) {
    const TextFile& file = files_[i];
    const std::int64_t here = std::min(first - file_begins_[i], file.size());
    const std::size_t count = std::min<std::size_t>(file.size() - here, out.size());
    if (count > 0) file.copy(here, *vocabulary_, out.first(count));
    first += static_cast<std::int64_t>(count);
    out = out.subspan(count);
    if (out.empty() || between_files_ == 0) continue;
    out.front() = separator_.front();
    out = out.subspan(1);
    ++first;
  }
}
}  // namespace charnn
