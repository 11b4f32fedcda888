#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>
#include "core/data/corpus.h"

namespace charnn {
/// A text counted byte by byte.
struct TextShape {
  std::int64_t bytes = 0;
  bool utf8 = true;
  std::int64_t lines = 0;         ///< including a last line without a newline
  std::int64_t longest_line = 0;  ///< in bytes
  std::int64_t blank_lines = 0;
  std::int64_t rising_lines = 0;  ///< that do not come before the line above them in the order of bytes
  bool ends_with_newline = false;
  std::int64_t carriage_returns = 0;
  std::int64_t nuls = 0;

  /// Many short lines and hardly a blank one: names, words, records.
  bool is_list() const { return lines >= 50 && 100 * blank_lines <= lines && bytes <= 40 * lines; }
  bool ends_lines_as_windows() const { return carriage_returns > 0 && carriage_returns + 1 >= lines; }
  bool is_sorted() const { return lines >= 50 && 100 * rising_lines >= 95 * lines; }
};

/// Reads the files once, in constant memory. Throws as InputFile.
TextShape shape_of(const std::vector<std::string>& files);

/// How predictable a text is.
struct TextEntropy {
  static constexpr std::size_t orders = 4;  ///< 0 to 3 characters of context

  /// bits[k]: entropy in bits of a character given the k before it, estimated from the text's own counts. Too low where
  /// contexts seldom repeat (short text, high order).
  std::array<double, orders> bits{};
  std::array<std::int64_t, orders> contexts{};  ///< distinct contexts seen
  std::int64_t chars = 0;                       ///< characters counted: all, or 2^20 spread evenly over the text

  /// Loss in nats per character of an interpolated 5-gram model (Witten, Bell 1991, "The zero-frequency problem",
  /// method C) of the training part, on the beginning of the validation part: what counting alone achieves on unseen
  /// text.
  double held_out = 0;
};

TextEntropy entropy_of(const Corpus& corpus);
}  // namespace charnn
