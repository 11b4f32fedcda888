#include "core/train/evaluate.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"

namespace charnn {
namespace {

/// Puts the model in evaluation mode for a while.
class EvalMode {
 public:
  explicit EvalMode(CharRnn& model) : model_(model), was_training_(model.is_training()) { model_.eval(); }
  ~EvalMode() { model_.train(was_training_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  CharRnn& model_;
  bool was_training_;
};

/// One row of predictions: inputs [first, first + steps), of which those from `counted` up to `end` count.
struct Stream {
  std::int64_t first;
  std::int64_t counted;
  std::int64_t end;
};

/// Hands out what the streams have predicted in `length` symbols each, `done` symbols after their beginning. nats:
/// [length, streams].
void tell(const std::vector<Stream>& streams, std::int64_t done, const torch::Tensor& nats,
          const std::function<void(std::int64_t, std::span<const float>)>& each) {
  const torch::Tensor by_stream = nats.t().to(torch::kCPU, torch::kFloat).contiguous();
  const std::int64_t length = by_stream.size(1);
  for (std::size_t s = 0; s < streams.size(); ++s) {
    const Stream& stream = streams[s];
    const std::int64_t begin = stream.first + done;
    const std::int64_t first = std::max(begin, stream.counted), end = std::min(begin + length, stream.end);
    const float* row = by_stream.data_ptr<float>() + static_cast<std::int64_t>(s) * length;
    if (first < end) each(first + 1, {row + (first - begin), row + (end - begin)});
  }
}

/// Runs streams of equal length side by side, `steps` symbols each, from a zero state.
bool run_streams(CharRnn& model, const Corpus& corpus, Split split, const std::vector<Stream>& streams,
                 std::int64_t steps, const EvalOptions& options, EvalResult& result) {
  constexpr std::int64_t chunk = 16;
  const std::int64_t count = static_cast<std::int64_t>(streams.size());
  State state = model.zero_state(count);
  std::vector<std::int64_t> text;
  for (std::int64_t done = 0; done < steps; done += chunk) {
    if (options.stop && options.stop()) return false;
    const std::int64_t length = std::min(chunk, steps - done);
    torch::Tensor input = torch::zeros({length, count}, torch::kInt64);
    torch::Tensor target = torch::full({length, count}, -1, torch::kInt64);  // -1: not counted
    const torch::Tensor starts =
        corpus.has_documents() ? torch::zeros({length, count}, torch::kUInt8) : torch::Tensor();
    auto inputs = input.accessor<std::int64_t, 2>();
    auto targets = target.accessor<std::int64_t, 2>();
    for (std::int64_t s = 0; s < count; ++s) {
      const Stream& stream = streams[static_cast<std::size_t>(s)];
      const std::int64_t begin = stream.first + done;
      const std::int64_t here = std::clamp<std::int64_t>(stream.end - begin, 0, length);
      if (here == 0) continue;
      text.resize(static_cast<std::size_t>(here + 1));
      for (const std::int64_t at : corpus.copy_with_starts(split.begin + begin, text))
        if (at < here) starts.data_ptr<std::uint8_t>()[at * count + s] = 1;
      for (std::int64_t t = 0; t < here; ++t) {
        inputs[t][s] = text[static_cast<std::size_t>(t)];
        if (begin + t < stream.counted) continue;
        targets[t][s] = text[static_cast<std::size_t>(t + 1)];
        ++result.chars;
      }
    }
    auto [nats, next] = model.nats(input, target, state, starts);
    result.nats += nats.sum(torch::kDouble).item<double>();
    if (options.each) tell(streams, done, nats, options.each);
    state = next;
  }
  return true;
}

}  // namespace

std::optional<EvalResult> evaluate(CharRnn& model, const Corpus& corpus, Split split, const EvalOptions& options) {
  const std::int64_t predictions = split.size() - 1;
  if (predictions < 1)
    fail_input(fmt::format("the part of the text to evaluate has {} characters", split.size()), "at least 2",
               "use a longer text, or another part of it");
  const torch::NoGradGuard no_grad;
  const EvalMode eval_mode(model);
  EvalResult result;
  if (options.window > 0) {
    constexpr std::int64_t side_by_side = 64;
    const std::int64_t N = std::min(options.window, predictions);
    for (std::int64_t begin = 0; begin < predictions; begin += side_by_side * N) {
      std::vector<Stream> windows;
      for (std::int64_t at = begin; at < std::min(predictions, begin + side_by_side * N); at += N)
        windows.push_back({at, at, std::min(at + N, predictions)});
      if (!run_streams(model, corpus, split, windows, N, options, result)) return std::nullopt;
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
  if (!run_streams(model, corpus, split, streams, steps, options, result)) return std::nullopt;
  return result;
}

}  // namespace charnn
