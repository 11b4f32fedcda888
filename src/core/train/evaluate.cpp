#include "core/train/evaluate.h"
#include <algorithm>
#include <numeric>
#include <vector>
#include <fmt/format.h>
#include "core/base/error.h"

namespace charnn {
namespace {
/// One row of predictions: inputs [first, first + steps), of which those from `counted` up to `end` count.
struct Stream {
  std::int64_t first;
  std::int64_t counted;
  std::int64_t end;
};

/// Hands out what the streams have predicted in one window, which begins `done` symbols after their beginning. nats:
/// [T, B].
void deliver(const std::vector<Stream>& streams, std::int64_t done, const std::vector<float>& nats,
             const std::function<void(std::int64_t, std::span<const float>)>& on_predictions) {
  const auto length = static_cast<std::int64_t>(nats.size() / streams.size());
  std::vector<float> row;
  for (std::size_t s = 0; s < streams.size(); ++s) {
    const Stream& stream = streams[s];
    const std::int64_t begin = stream.first + done;
    const std::int64_t first = std::max(begin, stream.counted), end = std::min(begin + length, stream.end);
    row.clear();
    for (std::int64_t at = first; at < end; ++at)
      row.push_back(nats[static_cast<std::size_t>(at - begin) * streams.size() + s]);
    if (!row.empty()) on_predictions(first + 1, row);
  }
}

/// The next window of all streams; adds to `chars` what counts in it.
Batch window_of(const Corpus& corpus, Split split, const std::vector<Stream>& streams, std::int64_t done,
                std::int64_t length, std::int64_t& chars) {
  Batch batch(length, static_cast<std::int64_t>(streams.size()), corpus.has_documents());
  std::vector<std::int64_t> text;
  for (std::size_t s = 0; s < streams.size(); ++s) {
    const Stream& stream = streams[s];
    const std::int64_t begin = stream.first + done;
    const std::int64_t here = std::clamp<std::int64_t>(stream.end - begin, 0, length);
    if (here == 0) continue;
    const auto place = [&](std::int64_t t) { return static_cast<std::size_t>(t) * streams.size() + s; };
    text.resize(static_cast<std::size_t>(here + 1));
    for (const std::int64_t at : corpus.copy_with_starts(split.begin + begin, text))
      if (at < here) batch.starts[place(at)] = 1;
    for (std::int64_t t = 0; t < here; ++t) {
      batch.input[place(t)] = text[static_cast<std::size_t>(t)];
      if (begin + t < stream.counted) continue;
      batch.target[place(t)] = text[static_cast<std::size_t>(t + 1)];
      ++chars;
    }
  }
  return batch;
}

/// Runs streams of equal length side by side, `steps` symbols each, from a zero state.
bool run_streams(Network& network, const Corpus& corpus, Split split, const std::vector<Stream>& streams,
                 std::int64_t steps, const EvalOptions& options, EvalResult& result) {
  constexpr std::int64_t chunk = 16;
  State state = network.zero_state(static_cast<std::int64_t>(streams.size()));
  std::vector<float> nats;
  for (std::int64_t done = 0; done < steps; done += chunk) {
    if (options.stop && options.stop()) return false;
    const Batch batch = window_of(corpus, split, streams, done, std::min(chunk, steps - done), result.chars);
    nats.resize(batch.input.size());
    network.score_window(batch, state, nats);
    result.nats = std::accumulate(nats.begin(), nats.end(), result.nats);
    if (options.each) deliver(streams, done, nats, options.each);
  }
  return true;
}
}  // namespace

std::optional<EvalResult> evaluate(Network& network, const Corpus& corpus, Split split, const EvalOptions& options) {
  const std::int64_t predictions = split.size() - 1;
  if (predictions < 1)
    fail_input(fmt::format("the part of the text to evaluate has {} characters", split.size()), "at least 2",
               "use a longer text, or another part of it");
  EvalResult result;
  if (options.window > 0) {
    constexpr std::int64_t side_by_side = 64;
    const std::int64_t N = std::min(options.window, predictions);
    for (std::int64_t begin = 0; begin < predictions; begin += side_by_side * N) {
      std::vector<Stream> windows;
      for (std::int64_t at = begin; at < std::min(predictions, begin + side_by_side * N); at += N)
        windows.push_back({at, at, std::min(at + N, predictions)});
      if (!run_streams(network, corpus, split, windows, N, options, result)) return std::nullopt;
    }
    return result;
  }
  // The first stream needs no warm-up and goes on for as many characters instead, so that all have `steps` to do.
  const std::int64_t automatic = std::clamp<std::int64_t>(predictions / (10 * options.warmup), 1, 64);
  const std::int64_t warmup = std::min(options.warmup, predictions - 1);
  const std::int64_t count = std::min(options.streams > 0 ? options.streams : automatic, predictions - warmup);
  const std::int64_t share = (predictions - warmup + count - 1) / count;
  const std::int64_t steps = warmup + share;
  std::vector<Stream> streams{{0, 0, std::min(steps, predictions)}};
  for (std::int64_t begin = steps; begin < predictions; begin += share)
    streams.push_back({begin - warmup, begin, std::min(begin + share, predictions)});
  if (!run_streams(network, corpus, split, streams, steps, options, result)) return std::nullopt;
  return result;
}
}  // namespace charnn
