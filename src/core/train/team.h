#pragma once
#include <cstdint>
#include <vector>
#include "core/data/batcher.h"
#include "core/dist/group.h"
#include "core/model/network.h"

namespace charnn {
/// Before a step: what this process asks for after it. After the step: what all processes have agreed on.
struct Wishes {
  int stop = 0;                    ///< a signal's number; the largest counts
  bool save = false;               ///< if any process asks for it
  bool time_is_up = false;         ///< rank 0 alone decides this and the two below
  bool long_evaluation = false;    ///< an evaluation takes so long that a checkpoint comes before it
  std::int64_t planned_steps = 0;  ///< see TrainState
};

/// The processes that share out the streams of a batch. The batch is cut into `shards` of neighbouring streams, each
/// with a gradient (and dropout) of its own, and the gradients are added in a binary tree over the shards. A process
/// has a whole branch of it, so that the sums, and all that follows from them, are the same bits for any number of
/// processes.
class Team {
 public:
  /// `shards` and the number of processes are powers of two; see require_shards().
  Team(Network& network, Group& group, std::int64_t streams, std::int64_t shards);

  const Share& own() const noexcept { return own_; }  ///< this process's streams
  State zero_state() const { return network_.zero_state(own_.count); }
  State part_of(const State& all) const { return all.columns(own_.first, own_.count); }
  State whole(const State& own) const;  ///< of all streams, collected from all processes

  /// Network::train_window() of all processes together: `batch` and `state` are those of own streams, the loss and the
  /// gradients are those of all. `wishes` becomes what happens.
  Scalar train(const Batch& batch, State& state, Wishes& wishes);

 private:
  std::int64_t first_of(std::int64_t shard) const { return streams_ * shard / shards_; }
  Scalar train_branch(const Batch& batch, State& state, Share shards, std::size_t depth);
  Scalar train_shard(const Batch& batch, State& state, std::int64_t shard);
  double add_up(double loss, Wishes& wishes);

  Network& network_;
  Group& group_;
  std::int64_t streams_, shards_;
  Share own_shards_, own_;
  std::vector<FlatArray> kept_;  ///< the left branch's gradients at each depth
  Network::Step step_ = {};
};

/// Throws Error (usage) unless `shards` and `processes` are powers of two, and there are no fewer streams than shards
/// and no fewer shards than processes.
void require_shards(std::int64_t shards, std::int64_t streams, int processes);
}  // namespace charnn
