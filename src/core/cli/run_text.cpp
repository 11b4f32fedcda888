#include "core/cli/run_text.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "core/base/error.h"
#include "core/cli/runtime.h"
#include "core/io/corpus_cache.h"

namespace charnn::cli {
namespace {

constexpr std::int64_t large = std::int64_t{1} << 24;  // bytes; less is gone through in no time

/// A file written to within the resolution of its time stamps could change once more without a new one.
bool is_settled(const CorpusIndex::File& file) {
  using namespace std::chrono;
  const auto now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
  return file.stamp.changed < now - nanoseconds(seconds(2)).count();
}

}  // namespace

Corpus open_text(const DataConfig& config, std::optional<Vocabulary> vocabulary, const std::string& index) {
  if (!std::filesystem::exists(index)) return Corpus(config, std::move(vocabulary));
  std::optional<CorpusIndex> known;
  try {
    known = load_corpus_index(index);
  } catch (const Error& error) {
    say("charnn: {}\n  so far:   the text is gone through once more", error.what());
  }
  return Corpus(config, std::move(vocabulary), known ? &*known : nullptr);
}

Corpus open_text_of(const LoadedModel& model, const std::vector<std::string>& files) {
  DataConfig data = model.config.data;
  if (!files.empty()) data.files = files;
  const RunFolder run(std::filesystem::absolute(model.path).parent_path().string());
  return open_text(data, model.checkpoint.vocabulary, run.text_index());
}

void keep_index(const Corpus& corpus, const std::string& index) {
  if ((!corpus.was_scanned() && std::filesystem::exists(index)) || corpus.fingerprint().bytes < large) return;
  const CorpusIndex known = corpus.index();
  if (!std::all_of(known.files.begin(), known.files.end(), is_settled)) return;
  try {
    save_corpus_index(index, known);
  } catch (const Error& error) {
    say("charnn: {}\n  so far:   the next start goes through the text once more", error.what());
  }
}

}  // namespace charnn::cli
