#include "extras/init/config_proposal.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/io/json_config.h"
#include "core/train/schedule.h"

namespace charnn::cli {
namespace {
enum class Size { tiny, small, medium, large };

Size size_of(std::int64_t chars) {
  return chars < 20'000 ? Size::tiny : chars < 500'000 ? Size::small : chars < 3'000'000 ? Size::medium : Size::large;
}

/// Fills in a proposal, a choice and its reason at a time.
class Proposer {
 public:
  explicit Proposer(const ProposalFacts& facts) : facts_(facts), size_(size_of(facts.chars)) {}

  Proposal make() {
    text();
    network();
    batch();
    rate();
    duration();
    return std::move(proposal_);
  }

 private:
  Config& config() { return proposal_.config; }
  void because(const char* key, std::string reason) { proposal_.reasons.emplace_back(key, std::move(reason)); }

  void text() {
    DataConfig& data = config().data;
    data.files = facts_.files;
    data.tokens = facts_.tokens;
    because("data.files", "the text; paths are relative to the folder charnn runs in");
    because("data.tokens", facts_.tokens == Tokens::chars ? "it is valid UTF-8: a symbol is a character"
                                                          : "it is not UTF-8: a symbol is a byte");
    data.val_fraction = facts_.chars >= 1'000'000 ? 0.05 : 0.1;
    because("data.val_fraction", fmt::format("the last {:.0f} characters are kept to see whether training generalises",
                                             data.val_fraction * static_cast<double>(facts_.chars)));
    train_chars_ = facts_.chars - static_cast<std::int64_t>(data.val_fraction * static_cast<double>(facts_.chars)) - 1;
  }

  void network() {
    ModelConfig& model = config().model;
    because("model.cell", "learns longer dependencies than gru or rnn at the same number of steps");
    model.layers = size_ == Size::tiny ? 1 : 2;
    model.hidden = 128;
    model.embedding = 64;
    because("model.layers", size_ == Size::tiny ? "a second one would only learn so short a text by heart" : "");
    because("model.hidden", "fast on any machine; 256 takes 3 to 4 times as long and often ends 1 to 4 % lower");
    because("model.embedding", "");
    model.dropout = size_ <= Size::small ? 0.3 : size_ == Size::medium ? 0.1 : 0;
    because("model.dropout", model.dropout > 0.2 ? "against learning a short text by heart"
                             : model.dropout > 0 ? "a little, since a text of this length is seen many times"
                                                 : "none: the text is too long to be learned by heart in this time");
  }

  void batch() {
    TrainConfig& train = config().train;
    const std::int64_t streams = size_ >= Size::medium ? 50 : 20;
    // At least 20 steps an epoch, if the text has so many characters.
    train.batch_size = std::clamp<std::int64_t>(train_chars_ / 1000, 1, streams);
    train.sequence_length = std::clamp<std::int64_t>(train_chars_ / train.batch_size, 1, 50);
    if (train_chars_ < 20)
      fail_input(fmt::format("the text has {} characters", facts_.chars), "at least 24",
                 "a longer text: 100,000 characters and more give good results");
    because("train.batch_size", size_ >= Size::medium ? "streams side by side: enough to keep the processor busy"
                                                      : "few streams: a short text then gives more steps an epoch");
    because("train.sequence_length",
            "characters that gradients flow back through; the state is carried on beyond them");
    train.threads = facts_.threads;
    if (train.threads > 0) because("train.threads", "as asked for");
    per_step_ = train.batch_size * train.sequence_length;
    const std::int64_t stream = train_chars_ / train.batch_size;
    windows_ = (stream + train.sequence_length - 1) / train.sequence_length;
  }

  void rate() {
    config().optimizer.lr = facts_.lr > 0 ? facts_.lr : 0.004;
    because("optimizer.lr", facts_.lr > 0 ? "what a range test with this network and text suggests (charnn lr-find)"
                                          : "a steady rate for this size");
  }

  void duration() {
    TrainConfig& train = config().train;
    const std::int64_t most = size_ <= Size::small ? 40 : size_ == Size::medium ? 20 : 10;
    const double speed = facts_.chars_per_second > 0 ? facts_.chars_per_second : 1e5;
    // A tenth of the time goes to evaluations and the start.
    const double budget = 0.9 * 60 * facts_.minutes * speed;
    const double affordable = budget / static_cast<double>(train_chars_);
    if (affordable < 1) {
      train.epochs = 0;
      train.max_steps = std::max<std::int64_t>(1, static_cast<std::int64_t>(budget / static_cast<double>(per_step_)));
      because("train.epochs",
              fmt::format("no limit: in {:g} minutes only a part of the text can be seen", facts_.minutes));
      because("train.max_steps", fmt::format("{:.0f} % of the text", 100 * affordable));
    } else {
      train.epochs = std::min(most, static_cast<std::int64_t>(affordable));
      because("train.epochs", train.epochs == most
                                  ? "more passes over this text would gain little"
                                  : fmt::format("as many passes as {:g} minutes allow", facts_.minutes));
    }
    proposal_.steps = plan_steps(train, windows_);
    train.eval_every = std::clamp<std::int64_t>(proposal_.steps / (size_ <= Size::small ? 40 : 20), 10, 2000);
    because("train.eval_every", fmt::format("about {} evaluations in all", proposal_.steps / train.eval_every));
    train.checkpoint_every = std::min<std::int64_t>(train.eval_every, 500);
    because("train.checkpoint_every", "a crash costs no more than these steps");
    if (size_ <= Size::medium) {
      train.patience = 8;
      because("train.patience", "ends early if validation gets no better in so many evaluations");
    }
    const double val_chars = config().data.val_fraction * static_cast<double>(facts_.chars);
    if (val_chars > 400'000) {
      train.eval_max_chars = 200'000;
      because("train.eval_max_chars", "enough to compare; all of the validation part would take too long each time");
    }
    config().schedule.warmup_steps = std::min<std::int64_t>(100, proposal_.steps / 10);
    because("schedule.kind", "the rate falls slowly to a 20th: the end of training then gains most");
    because("schedule.warmup_steps", "Adam's moments are noise in its first steps");
    if (facts_.chars_per_second > 0)
      proposal_.seconds = static_cast<double>(proposal_.steps * per_step_) / speed / 0.95;
  }

  const ProposalFacts& facts_;
  Size size_;
  Proposal proposal_;
  std::int64_t train_chars_ = 0, per_step_ = 0, windows_ = 0;
};
}  // namespace

Proposal propose(const ProposalFacts& facts) { return Proposer(facts).make(); }

std::string commented_json(const Proposal& proposal, const std::vector<std::string>& heading) {
  std::string text;
  for (const std::string& line : heading) text += "// " + line + "\n";
  std::vector<std::string> parts;
  for (const Section& section : describe_const(proposal.config)) {
    std::vector<std::string> lines;
    for (const Field& field : section.fields)
      for (const auto& [key, reason] : proposal.reasons)
        if (key == section.name + "." + field.name)
          lines.push_back((reason.empty() ? "" : "    // " + reason + "\n") +
                          fmt::format("    \"{}\": {}", field.name, to_json(field.get()).dump()));
    if (!lines.empty()) parts.push_back(fmt::format("  \"{}\": {{\n{}\n  }}", section.name, fmt::join(lines, ",\n")));
  }
  return text + fmt::format("{{\n{}\n}}\n", fmt::join(parts, ",\n"));
}

double expected_loss(double held_out, std::int64_t chars) {
  // 2 x 128 units against the 5-gram model, on Shakespeare: 0.91 at 100 KB, 0.92 at 1 MB, 0.96 at 5 MB. With more text
  // counting catches up, since a network of this size is full.
  const double above_1mb = std::clamp(std::log10(static_cast<double>(chars) / 1e6) / std::log10(5.0), 0.0, 1.0);
  return held_out * (0.915 + 0.045 * above_1mb);
}
}  // namespace charnn::cli
