// How a trainer saves, goes back and goes on.
#include <cmath>
#include <fmt/format.h>
#include "core/train/trainer.h"

namespace charnn {
void Trainer::save(CheckpointKind kind, bool at_end) {
  if (!parts_.save) return;
  Checkpoint checkpoint = snapshot();
  // Finite gradients can still add up to weights or moments that are not; such a checkpoint is useless.
  if (!std::isfinite(norm(checkpoint.weights) + norm(checkpoint.exp_avg) + norm(checkpoint.exp_avg_sq))) {
    const std::string found = "the weights or Adam's moments contain NaN or infinity";
    if (parts_.train.on_divergence != OnDivergence::ignore) return recover(found);
    return warn({{state_.step, "not_saved", found + ": not saved"}});
  }
  for (Sink* sink : parts_.sinks) sink->activity("saving");
  const Clock::time_point start = Clock::now();
  if (kind == CheckpointKind::best)
    saver_.best(std::move(checkpoint));
  else
    saver_.last(std::move(checkpoint), due(parts_.train.keep_every), at_end);
  pace_.save(seconds_since(start));
  saved_ = Clock::now();
}

void Trainer::recover(const std::string& found) {
  // The best checkpoint, unless all evaluations came too late; then the last one, which is never from a time when the
  // loss was exploding.
  const bool from_best = state_.best_loss && guard_.beats_guessing(*state_.best_loss);
  const auto load = [&] {
    if (from_best && saver_.waiting_best()) return *saver_.waiting_best();
    return parts_.load(from_best ? CheckpointKind::best : CheckpointKind::last);
  };
  if (parts_.train.on_divergence != OnDivergence::rollback || !parts_.load || guard_.hopeless()) {
    if (parts_.load && from_best) saver_.last_from_best(load());
    throw Error(ExitCode::diverged, fmt::format("training diverged at step {}: {}", state_.step, found),
                "a loss that falls",
                fmt::format("the last good checkpoint is intact: resume from it with a learning rate well below {:.3g} "
                            "(--lr), or a lower --clip-norm; charnn lr-find finds a rate",
                            rate(state_.step - 1, parts_.adam.steps())));
  }
  const Checkpoint good = load();
  parts_.network.change_weights().assign(good.weights);
  parts_.adam.restore(good.exp_avg, good.exp_avg_sq, good.train.optimizer_step);
  parts_.adam.restore_average(good.average);
  reset_recurrent();
  state_.rate.factor /= 2;
  guard_.rolled_back();
  warn({{state_.step, "rollback",
         fmt::format("{}: back to the weights of step {}, continuing with half the learning rate ({:.3g})", found,
                     good.train.step, rate(state_.step, state_.step))}});
  save(CheckpointKind::last);
}

Checkpoint Trainer::snapshot() const {
  Checkpoint c = network_snapshot();
  c.state = team_.whole(recurrent_);
  return c;
}

Checkpoint Trainer::network_snapshot() const {
  Checkpoint c{parts_.config_json,
               parts_.corpus.vocabulary(),
               state_,
               parts_.network.layout(),
               parts_.network.weights().to_host(),
               parts_.adam.exp_avg().to_host(),
               parts_.adam.exp_avg_sq().to_host(),
               {},
               capture_generators()};
  if (const FlatArray* average = parts_.adam.average()) c.average = average->to_host();
  c.opening = opening_;
  c.train.optimizer_step = parts_.adam.steps();
  c.train.cursor = parts_.batcher.cursor();
  return c;
}

void Trainer::restore(const Checkpoint& c, RestoreOptions options) {
  if (c.layout.weights() != parts_.network.layout().weights())
    fail_input("checkpoint: the weights of a network of another shape", "the shape of the network in training",
               "use another checkpoint");
  if (c.state.streams != parts_.train.batch_size)
    fail_input(fmt::format("checkpoint: the recurrent state of {} streams", c.state.streams),
               fmt::format("{}, as train.batch_size", parts_.train.batch_size), "use another checkpoint");
  parts_.network.change_weights().assign(c.weights);
  if (!options.reset_optimizer) parts_.adam.restore(c.exp_avg, c.exp_avg_sq, c.train.optimizer_step);
  parts_.adam.restore_average(options.reset_optimizer ? std::span<const float>() : c.average);
  parts_.batcher.seek(c.train.cursor);
  recurrent_ = team_.part_of(c.state);
  restore_generators(c.generators);
  state_ = c.train;
  saver_.resume(state_);
  if (options.reset_plan) state_.planned_steps = 0;
  if (!options.reset_rate) return;
  state_.rate = {};
  guard_.restart();
}
}  // namespace charnn
