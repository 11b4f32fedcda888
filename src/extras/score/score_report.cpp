#include "extras/score/score_report.h"
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/cli/runtime.h"
#include "core/train/evaluate.h"

namespace charnn::cli {
namespace {
using nlohmann::ordered_json;

/// Calls each(position, symbol's text, its nats) for the whole text until it returns false.
template <class Each>
void for_each_symbol(const ScoredText& text, Each each) {
  std::vector<std::int64_t> ids;
  const Corpus& corpus = text.corpus;
  for (std::int64_t at = 0; at < corpus.size(); at += static_cast<std::int64_t>(ids.size())) {
    ids.resize(static_cast<std::size_t>(std::min<std::int64_t>(corpus.size() - at, 1 << 16)));
    corpus.copy(at, ids);
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (const std::int64_t position = at + static_cast<std::int64_t>(i);
          !each(position, corpus.vocabulary().text(ids[i]), text.nats[static_cast<std::size_t>(position)]))
        return;
  }
}

ordered_json number_or_null(double value) { return std::isnan(value) ? ordered_json() : ordered_json(value); }

std::string line_of(const ordered_json& record) {
  return record.dump(-1, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace) + "\n";
}

/// Lines on their way to stdout, many at once.
class Rows {
 public:
  bool add(const std::string& row) {
    buffer_ += row;
    return buffer_.size() < (1 << 16) || flush();
  }
  bool flush() { return write_stdout(std::exchange(buffer_, {})); }

 private:
  std::string buffer_;
};

/// One line of the text, as it comes.
struct Line {
  std::int64_t number = 1;
  std::int64_t chars = 0;  ///< that were predicted
  double nats = 0;
  std::string text;

  std::string row(bool json) const {
    const double per_char = chars > 0 ? bits(nats / static_cast<double>(chars)) : std::nan("");
    if (json)
      return line_of({{"line", number}, {"chars", chars}, {"bits_per_char", number_or_null(per_char)}, {"text", text}});
    return fmt::format("{}\t{}\t{}\t{}\n", number, chars, chars > 0 ? fmt::format("{:.4f}", per_char) : "-",
                       on_one_line(text));
  }
};
}  // namespace

void print_lines(const ScoredText& text, bool json) {
  Rows rows;
  Line line;
  if (!json) rows.add("line\tchars\tbits_per_char\ttext\n");
  bool open = false, read = true;
  for_each_symbol(text, [&](std::int64_t, const std::string& symbol, float nats) {
    if (!std::isnan(nats)) {
      ++line.chars;
      line.nats += static_cast<double>(nats);
    }
    open = symbol != "\n";
    if (open) {
      line.text += symbol;
      return true;
    }
    read = rows.add(line.row(json));
    line = {line.number + 1, 0, 0, {}};
    return read;
  });
  if (open && read) rows.add(line.row(json));
  rows.flush();
}

void print_chars(const ScoredText& text, bool json) {
  Rows rows;
  if (!json) rows.add("position\tbits\tchar\n");
  for_each_symbol(text, [&](std::int64_t position, const std::string& symbol, float nats) {
    const double cost = bits(static_cast<double>(nats));
    return rows.add(json ? line_of({{"position", position}, {"bits", number_or_null(cost)}, {"char", symbol}})
                         : fmt::format("{}\t{}\t{}\n", position, std::isnan(cost) ? "-" : fmt::format("{:.4f}", cost),
                                       on_one_line(symbol)));
  });
  rows.flush();
}

void write_score_html(const ScoredText& text, const std::string& path, const std::string& title, double bits_per_char) {
  const auto html = [](std::string_view plain) {
    std::string out;
    for (const char c : plain)
      out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : std::string(1, c);
    return out;
  };
  if (std::filesystem::exists(path))
    fail_input(path + " exists already", "a new file", "remove it, or choose another (--html)");
  const std::string name = html(safe_for_terminal(title));
  AtomicFile file(path);
  file.write(
      fmt::format("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title>\n"
                  "<style>body{{background:#fff;color:#000;font:15px/1.5 monospace;margin:2em}}"
                  "pre{{white-space:pre-wrap;font:inherit}}",
                  name));
  constexpr int shades = 16;  // a bit each, from white to red; the last for all above
  for (int shade = 0; shade < shades; ++shade)
    file.write(fmt::format(".s{}{{background:hsl(10 100% {}%)}}", shade, 100 - 3 * shade));
  file.write(
      fmt::format("</style>\n<h1>{}</h1>\n<p>{:.4f} bits per character. The redder, the more surprising; "
                  "the number of bits shows where the pointer rests.</p>\n<pre>",
                  name, bits_per_char));
  std::string buffer;
  for_each_symbol(text, [&](std::int64_t, const std::string& symbol, float nats) {
    const double cost = bits(static_cast<double>(nats));
    const std::string shown = html(safe_for_terminal(symbol));
    // A line break is shown, too, since it has been predicted.
    const std::string visible = symbol == "\n" ? "\u21b5\n" : shown;
    buffer += std::isnan(cost) ? visible
                               : fmt::format("<span class=s{} title={:.2f}>{}</span>",
                                             static_cast<int>(std::min(shades - 1.0, cost)), cost, visible);
    if (buffer.size() >= (1 << 16)) file.write(std::exchange(buffer, {}));
    return true;
  });
  file.write(buffer + "</pre></html>\n");
  file.commit();
}
}  // namespace charnn::cli
