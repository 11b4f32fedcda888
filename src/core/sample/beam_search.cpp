#include "core/sample/beam_search.h"
#include <algorithm>
#include <cmath>
#include <tuple>
#include "core/sample/stops.h"

namespace charnn {
namespace {
using Ids = std::vector<std::int64_t>;

struct Beam {
  Ids ids;
  double nats = 0;
  RecentSymbols recent;
  DocumentStarts starts;
};

/// A beam extended by one symbol: nats, the beam's index, the symbol.
using Candidate = std::tuple<double, std::size_t, std::int64_t>;

/// The `count` best continuations of all beams, the best first.
std::vector<Candidate> best_candidates(const std::vector<Beam>& beams, const std::vector<float>& logits,
                                       const Sampler& sampler, std::size_t count) {
  const std::size_t V = logits.size() / beams.size();
  std::vector<Candidate> all;
  std::vector<float> row(V);
  for (std::size_t b = 0; b < beams.size(); ++b) {
    sampler.score(std::span(logits).subspan(b * V, V), beams[b].recent, row);
    for (std::size_t id = 0; id < V; ++id)
      if (std::isfinite(row[id])) all.emplace_back(beams[b].nats - row[id], b, id);
  }
  count = std::min(count, all.size());
  std::partial_sort(all.begin(), all.begin() + count, all.end());
  all.resize(count);
  return all;
}
}  // namespace

BeamText beam_search(Stepper& stepper, std::span<const std::int64_t> prompt, std::span<const std::int64_t> separator,
                     const std::vector<Ids>& stops, const Sampler& sampler, const std::function<bool()>& keep_on) {
  State state = stepper.zero_state(1);
  std::vector<Beam> beams{{{}, 0, sampler.no_symbols_yet(), DocumentStarts(separator)}};
  std::vector<float> logits(stepper.vocabulary_size());
  const auto feed = [&](std::span<const std::int64_t> ids) {
    for (std::size_t b = 0; b < beams.size(); ++b) {
      beams[b].recent.add(ids[b]);
      if (beams[b].starts.at(ids[b])) state.clear(b);
    }
    stepper.step(state, ids, logits);
  };
  for (const std::int64_t id : prompt) {
    if (!keep_on()) return {};
    feed({&id, 1});
  }

  BeamText best;
  double best_mean = INFINITY;
  const auto offer = [&](const Beam& beam, std::size_t stop) {
    const double mean = beam.nats / static_cast<double>(std::max<std::size_t>(beam.ids.size(), 1));
    if (mean >= best_mean) return;
    best_mean = mean;
    best = {{beam.ids.begin(), beam.ids.end() - stop}, beam.nats, stop > 0};
  };
  for (std::int64_t length = 0; length < sampler.config().length && !beams.empty() && keep_on(); ++length) {
    std::vector<Beam> longer;
    Ids parents, ids;
    for (const auto& [nats, parent, id] : best_candidates(beams, logits, sampler, sampler.config().beams)) {
      Beam beam = beams[parent];
      beam.ids.push_back(id);
      beam.nats = nats;
      if (const std::size_t stop = stop_at_end(beam.ids, stops)) {
        offer(beam, stop);
        continue;
      }
      longer.push_back(std::move(beam));
      parents.push_back(parent);
      ids.push_back(id);
    }
    beams = std::move(longer);
    if (beams.empty()) break;
    state = state.gather(parents);
    feed(ids);
  }
  for (const Beam& beam : beams) offer(beam, 0);
  return best;
}
}  // namespace charnn
