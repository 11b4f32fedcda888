#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "core/data/vocabulary.h"
#include "core/sample/sampler.h"
#include "fast/stepper.h"

namespace charnn {
/// What is fed before every prompt, and not shown: the last symbol of the document separator, so that the prompt begins
/// like a document; else `opening`, some of the text that the network was trained on (see Corpus::opening()), since
/// such a network hardly knows the zero state; else a newline, if the vocabulary has one.
std::vector<std::int64_t> beginning(const Vocabulary& vocabulary, const std::string& separator,
                                    const std::vector<std::int64_t>& opening);

/// The next piece of a text.
struct TextPiece {
  std::span<const std::int64_t> ids;
  std::string_view text;  ///< UTF-8, of complete characters only; with bytes as symbols it may lag behind `ids`
};

/// What the network expected where `id` stands.
struct Prediction {
  std::int64_t id;
  bool in_prompt;
  std::span<const float> logits;  ///< [V]; all the same before anything is read
  const RecentSymbols& recent;
};

/// One text to write.
struct TextJob {
  std::vector<std::int64_t> prompt;  ///< if empty, all symbols are equally likely to come first
  std::shared_ptr<const Sampler> sampler;
  std::vector<std::vector<std::int64_t>> stops = {};  ///< the text ends before the first of these; none may be empty
  std::int64_t length = 0;                            ///< maximum number of symbols
  double max_seconds = 0;                             ///< since add(), including the prompt; 0: no limit
  std::uint64_t seed = 0;
  std::function<bool(const TextPiece&)> on_text = {};  ///< false: ends the text
  /// Receives every symbol that is read or drawn, also those that on_text has not got yet.
  std::function<void(const Prediction&)> on_symbol = {};
};

enum class TextEnd { length, stop, time, cancelled };
inline constexpr std::array<const char*, 4> text_end_names{"length", "stop", "time", "cancelled"};

/// Writes texts side by side: each step advances all of them by one symbol, read from the prompt or drawn. Texts may be
/// added and end between steps. This is several times as fast as one after another; up to rounding, each text depends
/// only on its own seed. The state is reset where a document starts, as in training.
class Generator {
 public:
  /// All that is referred to must outlive the generator. `separator`, of documents, may be empty. Texts are drawn from
  /// the mean of the probabilities that `stepper` and `others`, of the same vocabulary, give.
  Generator(Stepper& stepper, const Vocabulary& vocabulary, std::vector<std::int64_t> separator,
            const std::vector<Stepper*>& others = {});
  ~Generator();

  std::int64_t add(TextJob job);     ///< returns the text's number: 0, 1, ...
  void cancel(std::int64_t number);  ///< passes on waiting symbols and ends the text, unless it has ended
  struct Ended {
    std::int64_t number;
    TextEnd end;
  };
  /// Advances every text by one symbol. Returns those that ended; all they wrote has been passed to on_text.
  std::vector<Ended> step();
  bool idle() const noexcept;

 private:
  struct Text;
  void arrange();
  void step_networks(std::span<const std::int64_t> ids);

  struct Other {
    Stepper& stepper;
    State state;
    std::vector<float> logits;
  };
  Stepper& stepper_;
  std::vector<Other> others_;
  const Vocabulary& vocabulary_;
  std::vector<std::int64_t> separator_;
  std::vector<Text> texts_;
  State state_;
  std::vector<float> logits_;  ///< [streams of state_, V]
  std::int64_t next_ = 0;
};

/// Writes one text. `keep_on` (may be empty) is called before every symbol, including the prompt's; false cancels it.
TextEnd generate(Generator& generator, TextJob job, const std::function<bool()>& keep_on = {});
}  // namespace charnn
