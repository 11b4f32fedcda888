#include "core/train/team.h"
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/base/random.h"
#include "core/model/torch_runtime.h"

namespace charnn {
void require_shards(std::int64_t shards, std::int64_t streams, int processes) {
  const auto power_of_two = [](std::int64_t n) { return std::has_single_bit(static_cast<std::uint64_t>(n)); };
  if (!power_of_two(shards))
    fail_input(fmt::format("train.shards = {}", shards), "a power of two", "for example --shards 4");
  if (shards > streams)
    fail_input(
        fmt::format("train.shards = {} of a batch of {} streams", shards, streams), "a stream or more for each",
        fmt::format("--shards {}, or a larger --batch-size", std::bit_floor(static_cast<std::uint64_t>(streams))));
  if (!power_of_two(processes) || processes > shards)
    fail_input(fmt::format("{} processes for train.shards = {}", processes, shards),
               "1, 2, 4 ... processes, at most as many as shards, which are fixed for a run",
               fmt::format("{} of them; a new run takes as many shards as processes",
                           std::min<std::uint64_t>(std::bit_floor(static_cast<unsigned>(processes)),
                                                   static_cast<std::uint64_t>(shards))));
}

Team::Team(Network& network, Group& group, std::int64_t streams, std::int64_t shards)
    : network_(network),
      group_(group),
      streams_(streams),
      shards_(shards),
      own_shards_(share_of(shards, group.rank(), group.size())),
      own_{first_of(own_shards_.first), 0} {
  own_.count = first_of(own_shards_.first + own_shards_.count) - own_.first;
  for (std::int64_t n = own_shards_.count; n > 1; n /= 2) kept_.emplace_back(network.layout().size(), network.device());
}

State Team::whole(const State& given) const {
  State own = given.on_host();
  if (group_.size() == 1) return own;
  const auto bytes = [](const AlignedFloats& part) {
    return std::string_view(static_cast<const char*>(static_cast<const void*>(part.data())),
                            part.size() * sizeof(float));
  };
  State all = network_.zero_state(streams_);
  std::string mine(bytes(own.h));
  mine += bytes(own.c);
  const std::vector<std::string> parts = group_.gather(mine);
  for (int rank = 0; rank < group_.size(); ++rank) {
    const Share shards = share_of(shards_, rank, group_.size());
    const std::int64_t first = first_of(shards.first);
    State part = network_.zero_state(first_of(shards.first + shards.count) - first);
    const std::size_t h = bytes(part.h).size();
    std::memcpy(part.h.data(), parts[rank].data(), h);
    if (part.has_c) std::memcpy(part.c.data(), parts[rank].data() + h, h);
    all.put(first, part);
  }
  return all;
}

Scalar Team::train(const Batch& batch, State& state, Wishes& wishes) {
  step_ = {batch.steps * streams_, network_.config().drops_out() ? draw_seed() : 0};
  const Scalar loss = train_branch(batch, state, own_shards_, 0);
  return group_.size() == 1 ? loss : Scalar(add_up(loss, wishes));
}

Scalar Team::train_branch(const Batch& batch, State& state, Share shards, std::size_t depth) {
  if (shards.count == 1) return train_shard(batch, state, shards.first);
  const std::int64_t half = shards.count / 2;
  const Scalar left = train_branch(batch, state, {shards.first, half}, depth + 1);
  kept_[depth].assign(network_.gradients());
  const Scalar right = train_branch(batch, state, {shards.first + half, half}, depth + 1);
  add(1, kept_[depth], network_.gradients(), network_.pool());
  return sum(left, right);
}

Scalar Team::train_shard(const Batch& batch, State& state, std::int64_t shard) {
  Network::Step step = step_;
  if (shard > 0 && step.dropout_seed != 0)
    step.dropout_seed = Random(step.dropout_seed + static_cast<std::uint64_t>(shard)).next();
  if (own_shards_.count == 1) return network_.train_window(batch, state, {}, step);
  const std::int64_t first = first_of(shard) - own_.first, count = first_of(shard + 1) - first_of(shard);
  State part = state.columns(first, count);
  const Scalar loss = network_.train_window(batch.columns(first, count), part, {}, step);
  state.put(first, part);
  return loss;
}

double Team::add_up(double loss, Wishes& wishes) {
  enum Note : std::size_t { of_loss, of_stop, of_save, of_time, of_evaluation, of_plan, notes_in_all };
  const std::array<double, notes_in_all> own{loss,
                                             static_cast<double>(wishes.stop),
                                             static_cast<double>(wishes.save),
                                             static_cast<double>(wishes.time_is_up),
                                             static_cast<double>(wishes.long_evaluation),
                                             static_cast<double>(wishes.planned_steps)};
  const FlatArray& gradients = network_.gradients();
  std::vector<double> all;
  if (network_.device() == Device::cpu) {
    all = group_.add({gradients.data(), static_cast<std::size_t>(gradients.size())}, own);
  } else {
    std::vector<float> host = gradients.to_host();
    all = group_.add(host, own);
    gradients.assign(host);
  }
  wishes = {0, false, all[of_time] != 0, all[of_evaluation] != 0, static_cast<std::int64_t>(all[of_plan])};
  std::vector<double> losses;
  for (auto notes = all.begin(); notes < all.end(); notes += notes_in_all) {
    losses.push_back(notes[of_loss]);
    wishes.stop = std::max(wishes.stop, static_cast<int>(notes[of_stop]));
    wishes.save = wishes.save || notes[of_save] != 0;
  }
  for (std::size_t n = losses.size() / 2; n > 0; n /= 2)
    for (std::size_t i = 0; i < n; ++i) losses[i] = losses[2 * i] + losses[2 * i + 1];
  return losses[0];
}
}  // namespace charnn
