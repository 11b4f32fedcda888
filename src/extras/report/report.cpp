#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_set>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/hash.h"
#include "core/base/terminal.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "core/sample/stops.h"
#include "extras/report/copied.h"

namespace charnn::cli {
namespace {
using nlohmann::ordered_json;

/// Mean of -log p, in nats, over the symbols of `text` after `prompt`; NaN if there are none. Without a prompt the
/// first symbol is not predicted.
double nats_per_symbol(Network& network, const std::vector<std::int64_t>& prompt, const std::vector<std::int64_t>& text,
                       std::span<const std::int64_t> separator) {
  constexpr std::int64_t chunk = 256;
  std::vector<std::int64_t> all = prompt;
  all.insert(all.end(), text.begin(), text.end());
  const std::int64_t first = std::max<std::int64_t>(std::ssize(prompt) - 1, 0), last = std::ssize(all) - 1;
  DocumentStarts documents(separator);
  State state = network.zero_state(1);
  double nats = 0;
  for (std::int64_t begin = 0; begin < last; begin += chunk) {
    Batch batch = window_of(all, begin, chunk, documents);
    std::fill_n(batch.target.begin(), std::clamp<std::int64_t>(first - begin, 0, batch.steps), -1);
    std::vector<float> losses(batch.input.size());
    network.score_window(batch, state, losses);
    nats = std::accumulate(losses.begin(), losses.end(), nats);
  }
  return last > first ? nats / static_cast<double>(last - first) : std::numeric_limits<double>::quiet_NaN();
}

/// Without line breaks at its ends.
std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of("\r\n"), end = text.find_last_not_of("\r\n");
  return begin == text.npos ? "" : text.substr(begin, end + 1 - begin);
}

/// Hashes of all documents of a text, or of its lines if it has no documents.
std::unordered_set<std::uint64_t> parts_of(const Corpus& corpus, const std::string& document_separator) {
  const std::string separator = document_separator.empty() ? "\n" : document_separator;
  std::unordered_set<std::uint64_t> parts;
  std::string text;
  std::vector<std::int64_t> ids(1 << 16);
  for (std::int64_t first = 0; first < corpus.size(); first += std::ssize(ids)) {
    ids.resize(static_cast<std::size_t>(std::min<std::int64_t>(1 << 16, corpus.size() - first)));
    corpus.copy(first, ids);
    for (const std::int64_t id : ids) text += corpus.vocabulary().text(id);
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find(separator, begin)) != text.npos; begin = end + separator.size())
      parts.insert(hash64(trimmed(std::string_view(text).substr(begin, end - begin))));
    text.erase(0, begin);
  }
  parts.insert(hash64(trimmed(text)));
  return parts;
}

/// charnn sample --unique and --new-only
class Fresh : public SampleExtra {
 public:
  void add_options(CLI::App& command) override {
    command_ = &command;
    auto* num = command.get_option("--num");
    command.add_flag("--unique", unique_, "with --num: no text twice")->needs(num);
    command.add_flag("--new-only", new_only_, "with --num: no text that is a document, or a line, of the run's corpus")
        ->needs(num);
  }
  void begin(const TextMaker& maker, const PreparedText&) override {
    if (!new_only_) return;
    const auto files = command_->get_option("--report-data")->results();
    known_ = parts_of(open_text_of(maker.model(), files, OnUnknown::error, "--report-data"),
                      maker.model().config.data.document_separator);
  }
  bool accepts(const std::string& text) override {
    const std::uint64_t hash = hash64(trimmed(text));
    return !known_.contains(hash) && (!unique_ || seen_.insert(hash).second);
  }

 private:
  const CLI::App* command_ = nullptr;
  bool unique_ = false, new_only_ = false;
  std::unordered_set<std::uint64_t> known_, seen_;
};

/// charnn sample --report
class Report : public SampleExtra {
 public:
  void add_options(CLI::App& command) override {
    auto* report = command.add_flag("--report", chosen_,
                                    "report the perplexity of the text, and how much of it is copied from the corpus");
    if (auto* interactive = command.get_option_no_throw("--interactive")) report->excludes(interactive);
    command
        .add_option("--report-data", files_,
                    "for --report and --new-only: the text to search for copies; default: the run's own corpus")
        ->allow_extra_args(false)
        ->type_name("FILE");
  }

  void begin(const TextMaker& maker, const PreparedText& prepared) override {
    if (!chosen_) return;
    maker_ = &maker;
    prompt_ = prepared.job.prompt;
    corpus_.emplace(open_text_of(maker.model(), files_, OnUnknown::error, "--report-data"));
    const Checkpoint& checkpoint = maker.model().checkpoint;
    network_ = std::make_unique<Network>(checkpoint.layout, checkpoint.best_weights());
  }

  void add_to(ordered_json& line, const WrittenText& text) override {
    if (chosen_) line["report"] = report_of(text);
  }

  void say_of(const WrittenText& text) override {
    if (!chosen_) return;
    const ordered_json report = report_of(text);
    say("charnn: {} characters, perplexity {:.3f} under the network itself", text.ids.size(),
        report["perplexity"].get<double>());
    say("  longest substring found in the corpus: {} characters, \"{}\"", report["longest_copy"].get<std::int64_t>(),
        on_one_line(report["longest_copy_text"].get<std::string>()));
    for (const std::int64_t length : CopyReport::lengths)
      if (const double share = report[fmt::format("copied_{}_grams", length)].get<double>(); !std::isnan(share))
        say("  of its substrings of {:2} characters, {:5.1f} % occur in the corpus", length, 100 * share);
  }

 private:
  ordered_json report_of(const WrittenText& text) {
    const CopyReport copies = find_copies(text.ids, *corpus_);
    const double nats = nats_per_symbol(*network_, prompt_, text.ids, maker_->separator());
    ordered_json report = {
        {"chars", text.ids.size()},
        {"perplexity", std::exp(nats)},
        {"bits_per_char", bits(nats)},
        {"longest_copy", copies.longest},
        {"longest_copy_text", maker_->text(std::span(text.ids).subspan(copies.longest_in_text, copies.longest))}};
    for (std::size_t i = 0; i < copies.lengths.size(); ++i)
      report[fmt::format("copied_{}_grams", copies.lengths[i])] = copies.shares[i];
    return report;
  }

  bool chosen_ = false;
  std::vector<std::string> files_;
  const TextMaker* maker_ = nullptr;
  std::vector<std::int64_t> prompt_;
  std::optional<Corpus> corpus_;
  std::unique_ptr<Network> network_;
};
}  // namespace

void add_report(Extras& extras) {
  extras.sample.emplace_back([] { return std::make_unique<Report>(); });
  extras.sample.emplace_back([] { return std::make_unique<Fresh>(); });
}
}  // namespace charnn::cli
