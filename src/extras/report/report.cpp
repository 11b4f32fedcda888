#include <cmath>
#include <memory>
#include <optional>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/terminal.h"
#include "core/cli/extras.h"
#include "core/cli/runtime.h"
#include "extras/report/copied.h"
#include "extras/report/perplexity.h"

namespace charnn::cli {
namespace {
using nlohmann::ordered_json;

/// charnn sample --report: how much of a text is copied, and how surprising the network itself finds it.
class Report : public SampleExtra {
 public:
  void add_options(CLI::App& command) override {
    auto* report =
        command.add_flag("--report", chosen_, "say how much of the text is copied from the corpus, and its perplexity");
    if (auto* interactive = command.get_option_no_throw("--interactive")) report->excludes(interactive);
    command.add_option("--report-data", files_, "text to look for copies in; default: the run's own corpus")
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
    network_ = std::make_unique<Network>(checkpoint.layout, checkpoint.weights);
  }

  void add_to(ordered_json& line, const WrittenText& text) override {
    if (chosen_) line["report"] = report_of(text);
  }

  void say_of(const WrittenText& text) override {
    if (!chosen_) return;
    const ordered_json report = report_of(text);
    say("charnn: {} characters, perplexity {:.3f} by the network's own measure", text.ids.size(),
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
    const auto begin = text.ids.begin() + copies.longest_in_text;
    ordered_json report = {{"chars", text.ids.size()},
                           {"perplexity", std::exp(nats)},
                           {"bits_per_char", bits(nats)},
                           {"longest_copy", copies.longest},
                           {"longest_copy_text", maker_->text(std::span(begin, begin + copies.longest))}};
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
