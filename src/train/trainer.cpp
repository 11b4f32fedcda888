#include "charnn/train/trainer.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "charnn/base/error.h"
#include "charnn/train/evaluate.h"
#include "charnn/train/schedule.h"

namespace charnn {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

void require_plan(const TrainConfig& train, const ScheduleConfig& schedule) {
  if (train.epochs == 0 && train.max_steps == 0 && train.max_minutes == 0)
    fail_input("train.epochs, train.max_steps and train.max_minutes are all 0", "at least one limit",
               "set one of them, for example --epochs 10");
  if (schedule.kind == ScheduleKind::cosine && train.epochs == 0 && train.max_steps == 0 &&
      schedule.total_steps == 0)
    fail_input("schedule.kind is cosine, but nothing says where it ends",
               "epochs, max_steps or schedule.total_steps", "set one of them, or --schedule constant");
}

Trainer::Trainer(TrainerParts parts)
    : parts_(std::move(parts)),
      recurrent_(parts_.model.zero_state(parts_.train.batch_size)),
      start_(Clock::now()) {
  require_plan(parts_.train, parts_.schedule);
  state_.corpus = parts_.corpus.fingerprint();
  parts_.model.train();
}

std::int64_t Trainer::last_step() const {
  const std::int64_t by_epochs = parts_.train.epochs * parts_.batcher.windows_per_epoch();
  if (by_epochs == 0 || parts_.train.max_steps == 0) return by_epochs + parts_.train.max_steps;
  return std::min(by_epochs, parts_.train.max_steps);
}

std::int64_t Trainer::total_steps() const {
  return parts_.schedule.total_steps > 0 ? parts_.schedule.total_steps : last_step();
}

double Trainer::elapsed() const { return parts_.elapsed_before + seconds_since(start_); }

double Trainer::epoch() const {
  const Cursor& cursor = parts_.batcher.cursor();
  return static_cast<double>(cursor.epoch) +
         static_cast<double>(cursor.position) / static_cast<double>(parts_.batcher.stream_length());
}

bool Trainer::plan_done() const {
  const std::int64_t last = last_step();
  return (last > 0 && state_.step >= last) ||
         (parts_.train.max_minutes > 0 && elapsed() >= 60 * parts_.train.max_minutes);
}

StepInfo Trainer::step() {
  const Clock::time_point start = Clock::now();
  const Batch batch = parts_.batcher.next();
  if (batch.starts_epoch) recurrent_ = parts_.model.zero_state(parts_.train.batch_size);
  auto [loss, next] = parts_.model.loss(batch.input, batch.target, recurrent_);
  parts_.adam.zero_grad();
  loss.backward();
  const double grad_norm = parts_.adam.gradient_norm();
  const double nats = loss.item<double>();
  if (!std::isfinite(nats) || !std::isfinite(grad_norm))
    throw Error(
        ExitCode::diverged,
        fmt::format("training diverged at step {}: loss {}, gradient norm {}", state_.step + 1, nats,
                    grad_norm),
        "finite numbers",
        "lower the learning rate (--lr) or clip_norm, and resume from the last checkpoint, which is intact");
  const double lr = learning_rate(parts_.schedule, parts_.optimizer.lr, state_.step, total_steps());
  parts_.adam.step(lr, clip_scale(grad_norm, parts_.optimizer.clip_norm));
  recurrent_ = next;

  const std::int64_t chars = batch.input.numel();
  ++state_.step;
  state_.chars += chars;
  state_.loss_sum += nats * static_cast<double>(chars);
  state_.loss_chars += chars;
  training_seconds_ += seconds_since(start);
  training_chars_ += chars;
  if (chars_per_second_ == 0) chars_per_second_ = static_cast<double>(training_chars_) / training_seconds_;
  return {state_.step, epoch(), state_.chars, nats, lr, grad_norm, chars_per_second_, elapsed()};
}

void Trainer::record(const StepInfo& info) {
  chars_per_second_ = static_cast<double>(training_chars_) / training_seconds_;
  training_seconds_ = 0;
  training_chars_ = 0;
  StepInfo mean = info;
  mean.loss = state_.loss_sum / static_cast<double>(state_.loss_chars);
  mean.chars_per_second = chars_per_second_;
  state_.loss_sum = 0;
  state_.loss_chars = 0;
  for (Sink* sink : parts_.sinks) sink->record(mean);
}

bool Trainer::evaluate_now() {
  for (Sink* sink : parts_.sinks) sink->busy("validating");
  const Clock::time_point start = Clock::now();
  const auto result = evaluate(parts_.model, parts_.corpus, parts_.corpus.val(), {.stop = parts_.stop});
  if (!result) return false;
  if (!std::isfinite(result->nats))
    throw Error(ExitCode::diverged,
                fmt::format("training diverged: validation loss {} at step {}", result->loss(), state_.step),
                "a finite number",
                "lower the learning rate (--lr), and resume from the last checkpoint, which is intact");
  state_.evaluated_step = state_.step;
  const bool best = !state_.best_loss || result->loss() < *state_.best_loss;
  if (best) {
    state_.best_loss = result->loss();
    state_.best_step = state_.step;
  }
  const double lr = learning_rate(parts_.schedule, parts_.optimizer.lr,
                                  std::max<std::int64_t>(state_.step - 1, 0), total_steps());
  const EvalInfo info{state_.step,
                      epoch(),
                      state_.chars,
                      *result,
                      lr,
                      best,
                      seconds_since(start),
                      elapsed(),
                      parts_.sample ? parts_.sample(state_.step) : ""};
  for (Sink* sink : parts_.sinks) sink->eval(info);
  if (best) save(CheckpointKind::best);
  return true;
}

void Trainer::save(CheckpointKind kind) {
  if (!parts_.save) return;
  for (Sink* sink : parts_.sinks) sink->busy("saving");
  parts_.save(kind, snapshot());
  if (kind == CheckpointKind::last) saved_step_ = state_.step;
}

Outcome Trainer::run() {
  const bool validates = parts_.corpus.val().size() > 0;
  // A checkpoint of step 0 too: a run can be resumed from its first moment on.
  if (state_.step == 0) save(CheckpointKind::last);
  for (;;) {
    const bool done = plan_done();
    const bool eval_due =
        validates && (due(parts_.train.eval_every) || done) && state_.evaluated_step != state_.step;
    const bool complete = !eval_due || evaluate_now();
    if (eval_due || due(parts_.train.checkpoint_every)) save(CheckpointKind::last);
    const bool here = parts_.stop_at > 0 && state_.step >= parts_.stop_at;
    if (done || here || stop_requested()) {
      if (saved_step_ != state_.step) save(CheckpointKind::last);
      if (done && complete) return Outcome::finished;
      return stop_requested() ? Outcome::stopped : Outcome::stop_at;
    }
    const StepInfo info = step();
    for (Sink* sink : parts_.sinks) sink->step(info);
    if (due(parts_.train.log_every)) record(info);
  }
}

Checkpoint Trainer::snapshot() const {
  Checkpoint c{
      parts_.config_json,    parts_.corpus.vocabulary(), state_,     parts_.model.weights(),
      parts_.adam.exp_avg(), parts_.adam.exp_avg_sq(),   recurrent_, capture_rng(parts_.model.device())};
  c.train.optimizer_step = parts_.adam.steps();
  c.train.cursor = parts_.batcher.cursor();
  return c;
}

void Trainer::restore(const Checkpoint& c, bool reset_optimizer) {
  parts_.model.load(c.model);
  if (!reset_optimizer) parts_.adam.restore(c.exp_avg, c.exp_avg_sq, c.train.optimizer_step);
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
}

}  // namespace charnn
