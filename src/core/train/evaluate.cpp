#include "core/train/evaluate.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>
#include <fmt/format.h>
#include "core/base/clock.h"
#include "core/base/error.h"

namespace charnn {
namespace {
constexpr std::int64_t cpu_chunk = 16;     ///< steps of a window, on a CPU
constexpr std::int64_t gpu_chunk = 256;    ///< a GPU takes time to begin
constexpr std::int64_t most_streams = 64;  ///< side by side

/// One row of predictions from a zero state: inputs [first, end), of which those before `counted` are only a warm-up.
/// Input i is the symbol before the i-th that is predicted.
struct Stream {
  std::int64_t first, counted, end;
};

/// Copies inputs [first, first + out.size()) with copy_with_starts(); after an opening the first is its last symbol.
std::vector<std::int64_t> inputs_from(const Corpus& corpus, Split split, std::int64_t first,
                                      std::span<std::int64_t> out, const EvalOptions& options) {
  const std::int64_t place = split.begin + first - 1 + first_predicted(options);
  if (first > 0 || first_predicted(options) == 1) return corpus.copy_with_starts(place, out);
  out.front() = options.opening.back();
  std::vector<std::int64_t> starts = corpus.copy_with_starts(split.begin, out.subspan(1));
  for (std::int64_t& at : starts) ++at;
  return starts;
}

/// The window of all streams that begins `done` symbols after their beginning. Only targets that count are set.
Batch window_of(const Corpus& corpus, Split split, const std::vector<Stream>& streams, std::int64_t done,
                std::int64_t length, const EvalOptions& options) {
  const std::int64_t count = std::ssize(streams);
  Batch batch(length, count, corpus.has_documents());
  std::vector<std::int64_t> text;
  for (std::int64_t s = 0; s < count; ++s) {
    const std::int64_t begin = streams[s].first + done;
    const std::int64_t here = std::clamp<std::int64_t>(streams[s].end - begin, 0, length);
    if (here == 0) continue;
    text.resize(here + 1);
    for (const std::int64_t at : inputs_from(corpus, split, begin, text, options))
      if (at < here) batch.starts[at * count + s] = 1;
    for (std::int64_t t = 0; t < here; ++t) {
      batch.input[t * count + s] = text[t];
      if (begin + t >= streams[s].counted) batch.target[t * count + s] = text[t + 1];
    }
  }
  return batch;
}

/// Network::score_window(), with the streams shared out among a group's processes; `state` is that of own streams.
void score(Network& network, const Batch& batch, State& state, std::span<float> nats, Group* group) {
  if (group == nullptr || group->size() == 1) return network.score_window(batch, state, nats);
  std::vector<float> part(static_cast<std::size_t>(batch.steps * state.streams));
  if (state.streams > 0)
    network.score_window(batch.columns(share_of(batch.streams, group->rank(), group->size()).first, state.streams),
                         state, part);
  const std::vector<std::string> parts =
      group->gather({static_cast<const char*>(static_cast<const void*>(part.data())), part.size() * sizeof(float)});
  for (int rank = 0; rank < group->size(); ++rank) {
    const Share share = share_of(batch.streams, rank, group->size());
    const auto row = static_cast<std::size_t>(share.count) * sizeof(float);
    for (std::int64_t t = 0; t < batch.steps; ++t)
      if (row > 0) std::memcpy(&nats[t * batch.streams + share.first], parts[rank].data() + t * row, row);
  }
}

/// Adds up the predictions of a window that count, and passes them on.
void collect(const Batch& batch, const std::vector<Stream>& streams, std::int64_t done, const std::vector<float>& nats,
             const EvalOptions& options, EvalResult& result) {
  for (const float value : nats) result.nats += value;
  std::vector<float> row;
  for (std::int64_t s = 0; s < batch.streams; ++s) {
    std::int64_t first = 0;
    row.clear();
    for (std::int64_t t = 0; t < batch.steps; ++t) {
      const std::int64_t at = t * batch.streams + s;
      if (batch.target[at] < 0) continue;
      if (row.empty()) first = streams[s].first + done + t + first_predicted(options);
      row.push_back(nats[at]);
    }
    result.chars += std::ssize(row);
    if (options.each && !row.empty()) options.each(first, row);
  }
}
}  // namespace

double evaluation_seconds(Network& network, std::int64_t chars) {
  Batch batch(cpu_chunk, most_streams, false);
  for (std::size_t i = 0; i < batch.input.size(); ++i)
    batch.input[i] = static_cast<std::int64_t>(i) % network.vocabulary_size();
  State state = network.zero_state(batch.streams);
  std::vector<float> nats(batch.input.size());
  network.score_window(batch, state, nats);  // makes what later windows find made
  const Clock::time_point start = Clock::now();
  network.score_window(batch, state, nats);
  return seconds_since(start) * static_cast<double>(chars) / static_cast<double>(batch.input.size());
}

std::int64_t first_predicted(const EvalOptions& options) {
  return options.opening.empty() || options.window > 0 ? 1 : 0;
}

std::int64_t require_predictions(Split split, const EvalOptions& options) {
  const std::int64_t first = first_predicted(options);
  if (split.size() <= first)
    fail_input(fmt::format("the part of the text to evaluate has {} characters", split.size()),
               fmt::format("at least {}", first + 1), "use a longer text, or another part of it");
  return split.size() - first;
}

State state_after(Network& network, std::span<const std::int64_t> ids) {
  State state = network.zero_state(1);
  for (std::size_t done = 0; done < ids.size(); done += cpu_chunk) {
    const auto some = ids.subspan(done, std::min<std::size_t>(cpu_chunk, ids.size() - done));
    Batch batch(std::ssize(some), 1, false);
    std::copy(some.begin(), some.end(), batch.input.begin());
    std::vector<float> nats(some.size());
    network.score_window(batch, state, nats);
  }
  return state;
}

std::optional<EvalResult> evaluate(Network& network, const Corpus& corpus, Split split, const EvalOptions& options) {
  const std::int64_t predictions = require_predictions(split, options);
  EvalResult result;
  const auto run = [&](const std::vector<Stream>& streams, std::int64_t steps) {
    const std::int64_t count = std::ssize(streams);
    State state = network.zero_state(
        options.group != nullptr ? share_of(count, options.group->rank(), options.group->size()).count : count);
    if (first_predicted(options) == 0 && streams[0].first == 0) {
      std::vector<std::int64_t> from(streams.size(), -1);
      from[0] = 0;
      state = state_after(network, std::span(options.opening).first(options.opening.size() - 1)).gather(from);
    }
    std::vector<float> nats;
    const std::int64_t chunk = network.device() == Device::cpu ? cpu_chunk : gpu_chunk;
    for (std::int64_t done = 0; done < steps; done += chunk) {
      if (options.stop && options.stop()) return false;
      const Batch batch = window_of(corpus, split, streams, done, std::min(chunk, steps - done), options);
      nats.resize(batch.input.size());
      score(network, batch, state, nats, options.group);
      const std::int64_t before = result.chars;
      collect(batch, streams, done, nats, options, result);
      if (options.progress) options.progress(result.chars - before);
    }
    return true;
  };
  std::int64_t warmup = 0, share = std::min(options.window, predictions), side_by_side = most_streams;
  if (options.window == 0) {
    constexpr std::int64_t full_warmup = 256;
    // Few streams have to wait for the weights to be read, which takes longer than warming up more of them.
    const std::int64_t automatic = std::clamp<std::int64_t>(predictions / (2 * full_warmup), 1, most_streams);
    warmup = std::min(full_warmup, predictions - 1);
    side_by_side = std::min(options.streams > 0 ? options.streams : automatic, predictions - warmup);
    share = (predictions - warmup + side_by_side - 1) / side_by_side;
  }
  // All streams run for `steps` symbols; the first one needs no warm-up and counts more of them instead.
  const std::int64_t steps = warmup + share;
  std::vector<Stream> streams;
  for (std::int64_t begin = 0; begin < predictions; begin = streams.back().end) {
    if (std::ssize(streams) == side_by_side) {
      if (!run(streams, steps)) return std::nullopt;
      streams.clear();
    }
    const std::int64_t first = std::max<std::int64_t>(begin - warmup, 0);
    streams.push_back({first, begin, std::min(first + steps, predictions)});
  }
  if (!run(streams, steps)) return std::nullopt;
  return result;
}

Calibration calibrate(Network& network, const Corpus& corpus, Split split) {
  split.end = std::min(split.end, split.begin + 50'001);
  const std::vector<float> trained = network.weights().to_host();
  const WeightInfo &weight = network.layout().decoder_weight(), &bias = network.layout().decoder_bias();
  /// With logits times `factor`.
  const auto loss_at = [&](double factor) {
    std::vector<float> scaled = trained;
    for (const WeightInfo* part : {&weight, &bias})
      for (std::int64_t i = part->offset; i < part->offset + part->size; ++i) scaled[i] *= static_cast<float>(factor);
    network.change_weights().assign(scaled);
    return evaluate(network, corpus, split)->loss();
  };
  // The loss is convex in the factor, and nearly a parabola around its lowest place.
  constexpr double apart = 0.1;
  const double plain = loss_at(1);
  double factor = 1;
  for (int round = 0; round < 5; ++round) {
    const double below = loss_at(factor - apart), here = round == 0 ? plain : loss_at(factor),
                 above = loss_at(factor + apart);
    const double bend = below - 2 * here + above;
    const double move = bend > 0 ? apart / 2 * (below - above) / bend : 0;
    factor = std::clamp(factor + move, 0.25, 4.0);
    if (std::abs(move) < apart / 4) break;
  }
  const double loss = loss_at(factor);
  network.change_weights().assign(trained);
  return {1 / factor, loss, plain, split.size() - 1};
}
}  // namespace charnn
