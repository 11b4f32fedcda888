#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Character-level recurrent networks: write text with a trained one, score text with it, train a new one. The charnn
/// program does the same on the command line, and both share run folders and checkpoints.
///
///   charnn::Model model("runs/shakespeare");
///   std::string text = model.write({.prompt = "ROMEO:", .length = 200});
///
/// All text is UTF-8, unless the network was trained on bytes. Errors are thrown as std::exception; for wrong input and
/// failed files, what() says what was found, what was expected, and what to do about it.
namespace charnn {

/// How Model::write() writes. Options left empty are as in the config of the run.
struct WriteOptions {
  std::string prompt = {};                  ///< text to continue; every character must be in the vocabulary
  std::optional<std::int64_t> length = {};  ///< at most this many characters
  std::optional<double> temperature = {};   ///< below 1 favours likely characters; 0 always takes the most likely
  std::optional<std::int64_t> top_k = {};   ///< choose among the k most likely characters; 0: among all
  std::optional<double> top_p = {};         ///< among the fewest that have this probability together; 1: among all
  std::optional<std::uint64_t> seed = {};   ///< the same seed gives the same text; empty: a random one
  std::vector<std::string> stops = {};      ///< end the text before the first of these strings
  std::function<bool(std::string_view)> on_text = {};  ///< receives the text piece by piece; false ends it
};

/// How surprising a string is to a network.
struct Score {
  std::int64_t chars = 0;
  double nats = 0;                         ///< -log of the probability of the string: the sum over its characters
  std::vector<double> nats_per_char = {};  ///< of each character, given those before it

  double bits_per_char() const;  ///< mean; NaN for an empty string
};

/// What kind of network a Model holds.
struct ModelInfo {
  std::string cell;  ///< "rnn", "gru" or "lstm"
  std::int64_t layers = 0;
  std::int64_t hidden = 0;  ///< units of each layer
  std::int64_t parameters = 0;
  std::int64_t vocabulary = 0;  ///< number of different characters
  std::int64_t steps = 0;       ///< of training
};

/// A trained network, in memory. Each object must be used by one thread at a time.
class Model {
 public:
  /// Opens a run folder (its best checkpoint, or the last one before the first validation) or a checkpoint file.
  explicit Model(const std::string& run_or_checkpoint);
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  ModelInfo info() const;

  /// Returns the new text, without the prompt.
  std::string write(const WriteOptions& options = {});

  /// Scores a string as the beginning of a line, or of a document if the network was trained on documents: that is
  /// where write() begins without a prompt. Every character must be in the vocabulary.
  Score score(std::string_view text);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// How train() starts, and what it calls meanwhile.
struct TrainOptions {
  bool resume = false;     ///< continue the run in the folder exactly where it stopped
  bool overwrite = false;  ///< replace the run in the folder
  std::function<void(std::int64_t step, double loss)> on_step = {};  ///< after every step; loss in nats per character
  std::function<void(const std::string& message)> on_message = {};   ///< warnings, e.g. of overfitting
  std::function<bool()> stop = {};                                   ///< asked after every step: true saves and returns
};

/// Where train() ended.
struct TrainResult {
  std::string reason;                    ///< "finished", "early" (train.patience ran out) or "stopped" (by stop())
  std::int64_t step = 0;                 ///< steps taken, over all resumptions
  std::optional<double> best_loss = {};  ///< on the validation text, in nats per character; none before a validation
  std::int64_t best_step = 0;
};

/// Trains like `charnn train CONFIG --out DIR`. `config_json` is the text of a config: {"data": {"files": ["a.txt"]}}
/// suffices for a new run; `charnn schema --markdown` lists all options. The run folder `out` receives checkpoints,
/// metrics.jsonl and train.log. Throws if training diverges for good; the last good checkpoint is intact then. Only one
/// call at a time per process: LibTorch's random generators are global.
TrainResult train(const std::string& config_json, const std::string& out, const TrainOptions& options = {});

}  // namespace charnn
