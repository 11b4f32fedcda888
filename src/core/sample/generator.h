#pragma once
#include <array>
#include <cstddef>
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
/// What is read before every prompt, and not shown: the last symbol of the document separator, so that the prompt begins
/// as a document does, else a newline. A network that was trained on one long text has seen a zero state only in the
/// middle of it, and makes little of a prompt that follows nothing. Empty if the vocabulary has no newline.
std::vector<std::int64_t> beginning(const Vocabulary& vocabulary, const std::string& separator);

/// The next piece of a text.
struct TextPiece {
  std::span<const std::int64_t> ids;
  std::string_view text;  ///< UTF-8; where symbols are bytes, whole characters only, so that it may lag behind `ids`
};

/// One text to write.
struct TextJob {
  std::vector<std::int64_t> prompt;  ///< without any the first symbol is drawn evenly
  std::shared_ptr<const Sampler> sampler;
  std::vector<std::vector<std::int64_t>> stops = {};  ///< the text ends before the first of these; none may be empty
  std::int64_t length = 0;                            ///< symbols to write at most
  double max_seconds = 0;                             ///< from add() on, the prompt's time included; 0: no limit
  std::uint64_t seed = 0;
  std::function<bool(const TextPiece&)> on_text = {};  ///< false: ends the text
};

enum class TextEnd { length, stop, time, cancelled };
inline constexpr std::array<const char*, 4> text_end_names{"length", "stop", "time", "cancelled"};

/// Writes texts side by side: each step moves all of them on by one symbol, read from its prompt or drawn, and texts may
/// come and go between steps. Side by side they are several times as fast as one after another, and each is the text of
/// its seed alone but for rounding.
///
/// Where a document starts (`separator` may be empty), the state is reset, as in training.
class Generator {
 public:
  /// `stepper` and `vocabulary` must outlive the generator.
  Generator(Stepper& stepper, const Vocabulary& vocabulary, std::vector<std::int64_t> separator);
  ~Generator();

  /// Returns a number that stands for the text: 0, 1, ...
  std::int64_t add(TextJob job);
  void cancel(std::int64_t number);  ///< hands out what waits, and ends the text; nothing if it has ended
  struct Ended {
    std::int64_t number;
    TextEnd end;
  };
  /// Moves every text on by one symbol. Returns those that ended; all they wrote has been handed out.
  std::vector<Ended> step();
  bool idle() const noexcept;

 private:
  struct Text;
  void admit();
  void draw_all();
  bool advance(Text& text, std::int64_t id, TextEnd& end);
  void remove(const std::vector<Ended>& ended);

  Stepper& stepper_;
  const Vocabulary& vocabulary_;
  std::vector<std::int64_t> separator_;
  std::vector<Text> texts_;
  std::size_t in_state_ = 0;  ///< texts that have a stream in state_; those after them are new
  State state_;
  std::vector<float> logits_;  ///< [texts, V]
  std::vector<std::int64_t> ids_;
  std::int64_t next_ = 0;
};

/// Writes one text. `keep_on` (may be empty) is asked before every symbol, the prompt's too; false cancels the text.
TextEnd generate(Generator& generator, TextJob job, const std::function<bool()>& keep_on = {});
}  // namespace charnn
