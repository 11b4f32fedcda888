// A text index, with which a run goes on without reading its text again: a line of JSON, a line with the tensors'
// header, the tensors' bytes. It need not fit the text, but must do no harm.
#include "core/data/corpus.h"
#include "core/io/corpus_cache.h"
#include "tests/fuzz/compose.h"

using namespace charnn;

namespace {

/// Longer than two of an index's blocks, with characters of one to four bytes.
const std::string& text() {
  static const std::string result = [] {
    std::string repeated;
    while (repeated.size() < 20'000) repeated += "ab \n\u00e9\u20ac\U0001f600";
    return repeated;
  }();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file, corpus_file;
  static const std::string path = corpus_file.holding(text());
  static const CorpusIndex true_index = Corpus({.files = {path}}).index();

  std::string_view input = fuzz::text_of(data, size);
  const std::string_view json = fuzz::take_line(input);
  const std::string bytes = fuzz::composed(R"("format":"charnn-text-index-1","index":)" + fuzz::quoted(json), input);
  CorpusIndex index;
  if (!fuzz::accepts([&] { index = load_corpus_index(file.holding(bytes)); })) return 0;
  // No fuzzer finds the time and the hash of the text.
  index.fingerprint.bytes = true_index.fingerprint.bytes;
  for (CorpusIndex::File& known : index.files)
    known.stamp = true_index.files[0].stamp, known.sample = true_index.files[0].sample;
  fuzz::accepts([&] {
    const Corpus corpus({.files = {path}, .tokens = index.tokens}, std::nullopt, &index);
    for (const char32_t symbol : corpus.vocabulary().symbols())
      corpus.vocabulary().text(*corpus.vocabulary().id(symbol));
    std::vector<std::int64_t> ids(static_cast<std::size_t>(corpus.size()));
    corpus.copy(0, ids);
    for (const std::int64_t id : ids)
      fuzz::require(id >= 0 && id < corpus.vocabulary().size(), "the ids are those of the vocabulary");
  });
  return 0;
}
