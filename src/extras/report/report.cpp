#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
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

/// charnn sample --report
class Report : public SampleExtra {
 public:
  void add_options(CLI::App& command) override {
    auto* report = command.add_flag("--report", chosen_,
                                    "report the perplexity of the text, and how much of it is copied from the corpus");
    if (auto* interactive = command.get_option_no_throw("--interactive")) report->excludes(interactive);
    command.add_option("--report-data", files_, "text to search for copies; default: the run's own corpus")
        ->allow_extra_args(false)
        ->needs(report)
        ->type_name("FILE");
  }

  void begin(const TextMaker& maker, const PreparedText& prepared) override {
    if (!chosen_) return;
    maker_ = &maker;
    prompt_ = prepared.job.prompt;
    corpus_.emplace(open_text_of(maker.model(), files_));
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
}
}  // namespace charnn::cli
