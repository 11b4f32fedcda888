// What a trainer saves and takes up again, and what it refuses to begin with.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/train/schedule.h"
#include "core/train/trainer.h"

namespace charnn {
namespace {

constexpr const char* tried_again = "the earlier checkpoint is kept; charnn tries again at the next save";

bool is_finite(const Checkpoint& c) {
  for (const NamedTensors* part : {&c.model, &c.exp_avg, &c.exp_avg_sq})
    for (const auto& [name, tensor] : *part)
      if (!std::isfinite(tensor.detach().abs().sum(torch::kDouble).item<double>())) return false;
  return true;
}

/// A copy that training does not write to.
Checkpoint own_copy(Checkpoint c) {
  for (NamedTensors* part : {&c.model, &c.exp_avg, &c.exp_avg_sq})
    for (auto& [name, tensor] : *part) tensor = tensor.detach().clone();
  return c;
}

}  // namespace

std::int64_t plan_steps(const TrainConfig& train, std::int64_t windows_per_epoch) {
  const std::int64_t by_epochs = train.epochs * windows_per_epoch;
  if (by_epochs == 0 || train.max_steps == 0) return by_epochs + train.max_steps;
  return std::min(by_epochs, train.max_steps);
}

void require_plan(const TrainConfig& train, const ScheduleConfig& schedule) {
  if (train.epochs == 0 && train.max_steps == 0 && train.max_minutes == 0)
    fail_input("train.epochs, train.max_steps and train.max_minutes are all 0", "at least one limit",
               "set one of them, for example --epochs 10");
  const char* kind = schedule_names[static_cast<std::size_t>(schedule.kind)];
  if (needs_horizon(schedule) && train.epochs == 0 && train.max_steps == 0 && schedule.total_steps == 0)
    fail_input(fmt::format("schedule.kind is {}, but nothing says where it ends", kind),
               "epochs, max_steps or schedule.total_steps", "set one of them, or --schedule constant");
  if (schedule.kind == ScheduleKind::plateau && train.eval_every == 0)
    fail_input("schedule.kind is plateau, but train.eval_every is 0", "evaluations, which it goes by",
               "set --eval-every, for example to 500");
  if (schedule.kind == ScheduleKind::exponential && schedule.final_lr_ratio == 0)
    fail_input("schedule.kind is exponential, and schedule.final_lr_ratio is 0",
               "a share above 0: no exponential ever reaches 0", "for example --final-lr-ratio 0.05");
}

bool Trainer::store(CheckpointKind kind, const Checkpoint& checkpoint, const char* meanwhile) {
  try {
    parts_.save(kind, checkpoint);
    return true;
  } catch (const Error& error) {
    if (error.code() != ExitCode::failure) throw;
    if (kind != CheckpointKind::kept) failure_ = error;
    warn({{state_.step, "not_saved", fmt::format("{}\n  so far:   {}", error.what(), meanwhile)}});
    return false;
  }
}

void Trainer::store_best() {
  if (!store(CheckpointKind::best, *waiting_best_, tried_again)) return;
  saved_best_loss_ = waiting_best_->train.best_loss;
  saved_best_step_ = waiting_best_->train.best_step;
  waiting_best_.reset();
}

void Trainer::save(CheckpointKind kind, bool at_end) {
  if (!parts_.save) return;
  for (Sink* sink : parts_.sinks) sink->busy("saving");
  Checkpoint checkpoint = snapshot();
  // Finite gradients can still add up to weights or moments that are not; such a checkpoint is good for nothing, and
  // must not take the place of a good one.
  if (!is_finite(checkpoint)) {
    if (parts_.train.on_divergence != OnDivergence::ignore)
      return recover("weights or Adam's moments are no finite numbers any more");
    return warn({{state_.step, "not_saved", "weights or Adam's moments are no finite numbers: not saved"}});
  }
  if (kind == CheckpointKind::best) {
    waiting_best_ = own_copy(checkpoint);
    return store_best();
  }
  if (waiting_best_ && waiting_best_->train.step != state_.step) store_best();  // else it has just failed
  if (waiting_best_) {
    // The last one would tell of a best that is gone if the process ended now: it waits too. At the end what was
    // learned matters more; then it tells of the best that is there, and a resumed run evaluates once more.
    if (!at_end) return;
    checkpoint.train.best_loss = saved_best_loss_;
    checkpoint.train.best_step = saved_best_step_;
    if (checkpoint.train.evaluated_step == checkpoint.train.step) --checkpoint.train.evaluated_step;
  }
  tried_step_ = state_.step;
  if (!store(kind, checkpoint, tried_again)) return;
  saved_step_ = state_.step;
  if (!waiting_best_) failure_.reset();
  if (due(parts_.train.keep_every))
    store(CheckpointKind::kept, checkpoint, "this one is left out; the last one is saved");
}

void Trainer::require_saved() const {
  if (!failure_) return;
  throw Error(ExitCode::failure, fmt::format("step {} could not be saved: {}", state_.step, failure_->what()), "",
              state_.step == 0 ? "when that is cured, start again"
                               : "the earlier checkpoint is intact: when that is cured, go on from it with --resume");
}

Checkpoint Trainer::snapshot() const {
  Checkpoint c{parts_.config_json,    parts_.corpus.vocabulary(), state_,     parts_.model.weights(),
               parts_.adam.exp_avg(), parts_.adam.exp_avg_sq(),   recurrent_, capture_rng(parts_.model.device())};
  c.train.optimizer_step = parts_.adam.steps();
  c.train.cursor = parts_.batcher.cursor();
  return c;
}

void Trainer::restore(const Checkpoint& c, RestoreOptions options) {
  parts_.model.load(c.model);
  if (!options.reset_optimizer) parts_.adam.restore(c.exp_avg, c.exp_avg_sq, c.train.optimizer_step);
  parts_.batcher.seek(c.train.cursor);
  NamedTensors target{{"h", recurrent_.h}};
  NamedTensors source{{"h", c.state.h}};
  if (recurrent_.c.defined()) {
    target.emplace_back("c", recurrent_.c);
    source.emplace_back("c", c.state.c);
  }
  for (const auto& [name, tensor] : source)
    if (!tensor.defined())
      fail_input(fmt::format("checkpoint: tensor state.{} is missing", name), "the carried state",
                 "use another checkpoint");
  copy_by_name(source, target, "state");
  restore_rng(c.rng, parts_.model.device());
  state_ = c.train;
  saved_best_loss_ = state_.best_loss;
  saved_best_step_ = state_.best_step;
  if (options.reset_rate) {
    state_.rate = {};
    guard_.begin_anew();
  }
}

}  // namespace charnn
