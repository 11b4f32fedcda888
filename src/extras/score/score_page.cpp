#include "extras/score/score_page.h"
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/terminal.h"
#include "core/base/utf8.h"
#include "core/sample/filters.h"
#include "core/sample/text_reader.h"
#include "core/train/evaluate.h"

namespace charnn::cli {
namespace {
constexpr int shades = 10;                        ///< one a bit; the last for everything above
constexpr std::int64_t most_explained = 200'000;  ///< characters; what was expected would take hours for more

/// {0}: title, {1}: bits per character. The text is in the page once; a script colours it.
constexpr const char* head = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{0}: {1:.3f} bits per character</title>
<style>
:root{{color-scheme:light dark;--text:#1b1b1b;--page:#fff;--heat:12,92%,50%}}
@media(prefers-color-scheme:dark){{:root{{--text:#e6e6e6;--page:#16181c;--heat:12,80%,48%}}}}
body{{background:var(--page);color:var(--text);font:16px/1.6 system-ui,sans-serif;
max-width:62rem;margin:0 auto;padding:1rem}}
h1{{font-size:1.2rem}}pre{{white-space:pre-wrap;overflow-wrap:anywhere;font:15px/1.7 ui-monospace,monospace}}
i{{font-style:normal;cursor:pointer}}i.on{{outline:2px solid}}
#scale i{{display:inline-block;min-width:2.2em;text-align:center}}
#why{{position:sticky;top:0;background:var(--page);padding:.4rem 0;border-bottom:1px solid;min-height:3.4em}}
)";

constexpr const char* tail = R"(
</script><script>
const [symbols,costs,expected]=JSON.parse(document.getElementById("data").textContent),
T=document.getElementById("text"),W=document.getElementById("why"),
C=Array.from(symbols),X=Array.from(expected);let on=-1;
const number=c=>{const n=c.charCodeAt(0);return(n==115?60:n==116?92:n)-35};
const show=s=>s=="\n"?"line break":s==" "?"space":s;
const frag=document.createDocumentFragment();
C.forEach((c,k)=>{const e=document.createElement("i");e.className="s"+Math.min(9,Math.floor(number(costs[k])/6));
e.textContent=c=="\n"?"\u21b5\n":c;frag.append(e)});T.append(frag);
function pick(k){if(k<0||k>=C.length)return;if(on>=0)T.children[on].classList.remove("on");on=k;const e=T.children[k];
e.classList.add("on");let likely=[];for(let j=6*k;j<6*k+6&&j<X.length;j+=2)if(number(X[j+1])>0)
likely.push(show(X[j])+" "+2*number(X[j+1])+" %");W.textContent=show(C[k])+": "+(number(costs[k])/6).toFixed(1)+" bits"+
(likely.length?". Expected: "+likely.join(", "):"")}
const place=e=>pick([...T.children].indexOf(e.target));
T.addEventListener("click",place);T.addEventListener("mouseover",place);
addEventListener("keydown",e=>{if(e.key=="ArrowRight")pick(on+1);if(e.key=="ArrowLeft")pick(on-1)});
</script></body></html>
)";

/// A number from 0 to 77 as a character that JSON and HTML leave alone.
char digit(std::int64_t number) {
  const auto c = static_cast<char>(35 + std::clamp<std::int64_t>(number, 0, 77));
  return c == '<' ? 's' : c == '\\' ? 't' : c;
}

/// One character, as a page can show it.
std::string shown(const std::string& symbol) {
  const std::string safe = symbol == "\n" || symbol == "\t" ? symbol : safe_for_terminal(symbol);
  return count_code_points(safe) == 1 ? safe : "\u00b7";
}

/// For each symbol the three that were expected there, each followed by its probability in steps of 2 %.
std::string expected_at(const ScoredText& text, const LoadedModel& model) {
  std::string all;
  if (text.corpus.size() > most_explained) return all;
  const Vocabulary& vocabulary = model.checkpoint.vocabulary;
  Stepper stepper(model.checkpoint.layout, model.checkpoint.best_weights());
  TextReader reader(stepper, vocabulary.encode(model.config.data.document_separator, "data.document_separator"));
  for (const std::int64_t id : beginning_of(model)) reader.read(id);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(text.corpus.size()));
  text.corpus.copy(0, ids);
  for (const std::int64_t id : ids) {
    std::int64_t places = 3;
    for (const auto& [other, probability] : most_likely(reader.logits(), places)) {
      all += shown(vocabulary.text(other)) + digit(std::lround(50 * probability));
      --places;
    }
    for (; places > 0; --places) all += std::string(" ") + digit(0);
    reader.read(id);
  }
  return all;
}
}  // namespace

void write_page(const ScoredText& text, const LoadedModel& model, const std::string& path, const std::string& title,
                double bits_per_char) {
  if (std::filesystem::exists(path))
    fail_input(path + " exists already", "a new file", "remove it, or choose another (--html)");
  std::string name;
  for (const char c : safe_for_terminal(title)) name += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
  AtomicFile file(path);
  file.write(fmt::format(fmt::runtime(head), name, bits_per_char));
  std::string scale;
  for (int shade = 0; shade < shades; ++shade) {
    file.write(fmt::format(".s{}{{background:hsla(var(--heat),{:.2f})}}", shade, 0.07 * shade));
    scale += fmt::format("<i class=\"s{0}\">{0}{1}</i>", shade, shade == shades - 1 ? "+" : "");
  }
  file.write(
      fmt::format("</style></head><body><h1>{}: {:.4f} bits per character</h1>\n<p id=\"scale\">bits: {}</p>\n"
                  "<p id=\"why\">Point at a character, touch it, or use the arrow keys: its bits, and what was "
                  "expected instead.</p>\n<pre id=\"text\"></pre>\n<script id=\"data\" type=\"application/json\">",
                  name, bits_per_char, scale));
  std::string symbols, costs;
  for_each_symbol(text, [&](std::int64_t, const std::string& symbol, double nats) {
    symbols += shown(symbol);
    costs += digit(std::isnan(nats) ? 0 : std::lround(6 * std::min(bits(nats), 12.0)));
    return true;
  });
  std::string data = nlohmann::json({symbols, costs, expected_at(text, model)}).dump();
  for (std::size_t at = 0; (at = data.find('<', at)) != std::string::npos; at += 6) data.replace(at, 1, "\\u003c");
  file.write(data + tail);
  file.commit();
}
}  // namespace charnn::cli
