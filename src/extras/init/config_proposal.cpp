#include "extras/init/config_proposal.h"
#include <algorithm>
#include <cmath>
#include <utility>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/io/json_config.h"

namespace charnn::cli {
namespace {
class Proposer {
 public:
  Proposer(const ProposalFacts& facts, std::size_t size) : facts_(facts), size_(network_sizes[size]) {
    proposal_.chars_per_second = facts.speeds[size] > 0 ? facts.speeds[size] : 1e5;
  }

  Proposal make() {
    data();
    windows();
    duration();
    network();
    evaluations();
    return std::move(proposal_);
  }

 private:
  void set(const std::string& key, const Value& value, std::string reason) {
    assign(find_field(sections_, key, "charnn init"), value, key);
    proposal_.reasons[key] = std::move(reason);
  }

  void data() {
    set("data.files", facts_.files, "paths are relative to the folder charnn runs in");
    set("data.tokens", name_of(facts_.tokens, token_names),
        facts_.tokens == Tokens::chars ? "valid UTF-8: a symbol is a character" : "not UTF-8: a symbol is a byte");
    if (facts_.list) {
      set("data.document_separator", facts_.windows ? "\r\n" : "\n", "a list: each line stands for itself");
      set("data.order", name_of(Order::shuffled, order_names),
          facts_.sorted ? "the list is sorted: unshuffled, training would never see its end"
                        : "lines in a random order");
    }
    const double fraction = facts_.chars >= 1'000'000 ? 0.05 : 0.1;
    val_chars_ = fraction * static_cast<double>(facts_.chars);
    set("data.val_fraction", fraction,
        fmt::format("{:.0f} characters are held out to see whether training generalises", val_chars_));
    train_chars_ = facts_.chars - static_cast<std::int64_t>(val_chars_) - 1;
    if (train_chars_ < 20)
      fail_input(fmt::format("the text has {} characters", facts_.chars), "at least 24",
                 "use a longer text: 100,000 characters or more give good results");
  }

  void windows() {
    const std::int64_t most = train_chars_ < 300'000 ? 16 : 32;
    const std::int64_t streams = std::clamp<std::int64_t>(train_chars_ / 1000, 1, most);
    set("train.batch_size", streams, "parallel streams; few of them learn more from each character than many");
    const std::int64_t length = std::min<std::int64_t>(train_chars_ / streams, 64);
    set("train.sequence_length", length,
        "characters that gradients flow back through; the state is carried on beyond them");
    if (facts_.threads > 0) set("train.threads", facts_.threads, "as requested");
    chars_per_step_ = static_cast<double>(streams * length);
  }

  void duration() {
    const auto length = static_cast<double>(train_chars_);
    const double budget = 0.93 * 60 * facts_.minutes * proposal_.chars_per_second;  // the rest goes to evaluations
    const auto loss = [&](double chars) { return expected_loss(facts_.yardsticks, size_, chars, length); };
    chars_ = budget;
    for (double fewer = budget / 1.1; fewer > 2 * length; fewer /= 1.1)  // more passes may only remember the text
      if (loss(fewer) < 0.998 * loss(chars_)) chars_ = fewer;
    chars_ = std::min(chars_, 40 * length);
    passes_ = chars_ / length;
    set("train.max_minutes", facts_.minutes, "the learning rate comes down in time for this");
    set("train.epochs", chars_ < budget ? static_cast<std::int64_t>(std::ceil(passes_)) : std::int64_t{0},
        chars_ < budget ? "more passes over this text would gain little"
                        : fmt::format("no limit: the time is enough for about {:.2g} passes over the text", passes_));
    proposal_.steps = std::max<std::int64_t>(1, static_cast<std::int64_t>(chars_ / chars_per_step_));
    proposal_.seconds = chars_ / proposal_.chars_per_second / 0.93;
    proposal_.loss = loss(chars_);
  }

  void network() {
    set("model.cell", "lstm", "learns longer dependencies than gru or rnn in the same number of steps");
    set("model.layers", size_.layers, "");
    set("model.hidden", size_.hidden,
        fmt::format("of {}, {}, {} and {} units the best in this time, by a law fitted to many runs",
                    network_sizes[0].hidden, network_sizes[1].hidden, network_sizes[2].hidden,
                    network_sizes[3].hidden));
    set("model.embedding", size_.embedding,
        size_.embedding > 64 ? "wider than 64, the default, learns more and costs next to no time" : "");
    if (size_.layers > 1)
      set("model.decoder_input", name_of(DecoderInput::sum, decoder_input_names),
          "skip connections: learns faster than from the last layer alone");
    const double dropout = suitable_dropout(size_, passes_);
    set("model.dropout", std::round(100 * dropout) / 100,
        dropout > 0.05 ? "against memorising: the text is seen several times"
        : dropout > 0  ? "a little, against memorising"
                       : "none: too few passes, or too small a network, to memorise the text");
    if (dropout > 0) set("model.dropout_mask", "window", "variational dropout: generalises better than a mask a step");
    set("optimizer.lr", size_.lr, "suits this size and batch; charnn lr-find tests others");
  }

  void evaluations() {
    const double most = 200'000, evaluated = std::min(val_chars_, most);
    // At most 5 % of the time goes to evaluations. A character costs about 0.4 times as much as in training; 64 streams
    // warm up on 256 each, fewer take as long (see evaluate()).
    const double warmup = 64 * 256, read = std::max(evaluated + std::min(evaluated, warmup), warmup);
    const auto affordable = static_cast<std::int64_t>(20 * 0.4 * read / chars_per_step_);
    const std::int64_t every = std::max<std::int64_t>({proposal_.steps / 20, affordable, 10});
    set("train.eval_every", every, fmt::format("about {} evaluations in all", proposal_.steps / every + 1));
    set("train.checkpoint_every", std::min<std::int64_t>(every, 500), "a crash loses at most this many steps");
    if (val_chars_ > 2 * most) set("train.eval_max_chars", static_cast<std::int64_t>(most), "enough to compare");
    set("schedule.kind", "cosine", "the rate falls slowly to a 20th: the end of training gains most from that");
    set("schedule.warmup_steps", std::min<std::int64_t>(100, proposal_.steps / 10),
        "Adam's moments are noisy in the first steps");
  }

  const ProposalFacts& facts_;
  const NetworkSize& size_;
  Proposal proposal_;
  std::vector<Section> sections_ = describe(proposal_.config);
  double val_chars_ = 0, chars_per_step_ = 0, chars_ = 0, passes_ = 0;
  std::int64_t train_chars_ = 0;
};
}  // namespace

Proposal propose(const ProposalFacts& facts, std::size_t size) { return Proposer(facts, size).make(); }

Proposal propose(const ProposalFacts& facts) {
  Proposal best = propose(facts, 0);
  for (std::size_t size = 1; size < network_sizes.size(); ++size)
    if (facts.speeds[size] > 0)
      if (Proposal other = propose(facts, size); other.loss < best.loss) best = std::move(other);
  return best;
}

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
