#include "extras/init/config_proposal.h"
#include <algorithm>
#include <utility>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/io/json_config.h"
#include "core/train/schedule.h"

namespace charnn::cli {
namespace {
class Proposer {
 public:
  explicit Proposer(const ProposalFacts& facts) : facts_(facts) {}

  Proposal make() {
    data_and_network();
    windows();
    duration();
    evaluations();
    return std::move(proposal_);
  }

 private:
  void set(const std::string& key, const Value& value, std::string reason) {
    assign(find_field(sections_, key, "charnn init"), value, key);
    proposal_.reasons[key] = std::move(reason);
  }

  void data_and_network() {
    set("data.files", facts_.files, "paths are relative to the folder charnn runs in");
    set("data.tokens", name_of(facts_.tokens, token_names),
        facts_.tokens == Tokens::chars ? "valid UTF-8: a symbol is a character" : "not UTF-8: a symbol is a byte");
    const double fraction = facts_.chars >= 1'000'000 ? 0.05 : 0.1;
    val_chars_ = fraction * static_cast<double>(facts_.chars);
    set("data.val_fraction", fraction,
        fmt::format("the last {:.0f} characters are held out to see whether training generalises", val_chars_));
    train_chars_ = facts_.chars - static_cast<std::int64_t>(val_chars_) - 1;
    if (train_chars_ < 20)
      fail_input(fmt::format("the text has {} characters", facts_.chars), "at least 24",
                 "use a longer text: 100,000 characters or more give good results");
    const bool tiny = facts_.chars < 20'000;
    set("model.cell", "lstm", "learns longer dependencies than gru or rnn in the same number of steps");
    set("model.layers", tiny ? 1 : 2, tiny ? "a second layer would only memorise so short a text" : "");
    set("model.hidden", 128, "fast on any machine; 256 takes 3 to 4 times as long and often ends 1 to 4 % lower");
    set("model.embedding", 64, "");
    set("model.dropout",
        short_  ? 0.3
        : long_ ? 0.0
                : 0.1,
        short_  ? "keeps the network from memorising a short text"
        : long_ ? "none: the text is too long to be memorised in this time"
                : "a little, since a text of this length is seen many times");
  }

  void windows() {
    // At least 20 steps an epoch, if the text has that many characters.
    const std::int64_t streams = std::clamp<std::int64_t>(train_chars_ / 1000, 1, short_ ? 20 : 50);
    set("train.batch_size", streams,
        short_ ? "few parallel streams, so that a short text gives more steps per epoch"
               : "enough parallel streams to keep the processor busy");
    const std::int64_t stream = train_chars_ / streams, length = std::min<std::int64_t>(stream, 50);
    set("train.sequence_length", length,
        "characters that gradients flow back through; the state is carried on beyond them");
    if (facts_.threads > 0) set("train.threads", facts_.threads, "as requested");
    chars_per_step_ = streams * length;
    windows_ = (stream + length - 1) / length;
    if (facts_.lr > 0)
      set("optimizer.lr", facts_.lr, "suggested by a range test with this network and text (charnn lr-find)");
    else
      set("optimizer.lr", 0.004, "safe for this size");
  }

  void duration() {
    const std::int64_t most = short_ ? 40 : long_ ? 10 : 20;
    const double speed = facts_.chars_per_second > 0 ? facts_.chars_per_second : 1e5;
    // A tenth of the time goes to evaluations and the start.
    const double budget = 0.9 * 60 * facts_.minutes * speed;
    const double affordable = budget / static_cast<double>(train_chars_);
    if (affordable < 1) {
      set("train.epochs", 0,
          fmt::format("no limit: {:g} minutes are enough for only a part of the text", facts_.minutes));
      set("train.max_steps", static_cast<std::int64_t>(std::max(1.0, budget / static_cast<double>(chars_per_step_))),
          fmt::format("{:.0f} % of the text", 100 * affordable));
    } else if (affordable < static_cast<double>(most)) {
      set("train.epochs", static_cast<std::int64_t>(affordable),
          fmt::format("as many passes as {:g} minutes allow", facts_.minutes));
    } else {
      set("train.epochs", most, "more passes over this text would gain little");
    }
    proposal_.steps = plan_steps(proposal_.config.train, windows_);
    if (facts_.chars_per_second > 0)
      proposal_.seconds = static_cast<double>(proposal_.steps * chars_per_step_) / speed / 0.95;
  }

  void evaluations() {
    const std::int64_t steps = proposal_.steps;
    const std::int64_t every = std::clamp<std::int64_t>(steps / (short_ ? 40 : 20), 10, 2000);
    set("train.eval_every", every, fmt::format("about {} evaluations in all", steps / every));
    set("train.checkpoint_every", std::min<std::int64_t>(every, 500), "a crash loses at most this many steps");
    if (!long_) set("train.patience", 8, "stops early after this many evaluations without improvement");
    if (val_chars_ > 400'000)
      set("train.eval_max_chars", 200'000,
          "enough to compare; evaluating the whole validation part would take too long each time");
    set("schedule.kind", "cosine", "the rate falls slowly to a 20th: the end of training gains most from that");
    set("schedule.warmup_steps", std::min<std::int64_t>(100, steps / 10),
        "Adam's moments are noisy in the first steps");
  }

  const ProposalFacts& facts_;
  const bool short_ = facts_.chars < 500'000, long_ = facts_.chars >= 3'000'000;
  Proposal proposal_;
  std::vector<Section> sections_ = describe(proposal_.config);
  double val_chars_ = 0;
  std::int64_t train_chars_ = 0, chars_per_step_ = 0, windows_ = 0;
};
}  // namespace

Proposal propose(const ProposalFacts& facts) { return Proposer(facts).make(); }

std::string commented_json(const Proposal& proposal, const std::vector<std::string>& heading) {
  std::vector<std::string> parts;
  for (const Section& section : describe_const(proposal.config)) {
    std::vector<std::string> lines;
    for (const Field& field : section.fields)
      if (const auto reason = proposal.reasons.find(section.name + "." + field.name); reason != proposal.reasons.end())
        lines.push_back((reason->second.empty() ? "" : "    // " + reason->second + "\n") +
                        fmt::format("    \"{}\": {}", field.name, to_json(field.get()).dump()));
    if (!lines.empty()) parts.push_back(fmt::format("  \"{}\": {{\n{}\n  }}", section.name, fmt::join(lines, ",\n")));
  }
  return fmt::format("// {}\n{{\n{}\n}}\n", fmt::join(heading, "\n// "), fmt::join(parts, ",\n"));
}
}  // namespace charnn::cli
