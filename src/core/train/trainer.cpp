#include "core/train/trainer.h"
#include <algorithm>
#include <cmath>
#include <span>
#include <fmt/format.h>
#include "core/train/schedule.h"

namespace charnn {
namespace {
bool is_finite(const StepInfo& info) { return std::isfinite(info.loss) && std::isfinite(info.grad_norm); }

/// Finite if all values are: squares of floats cannot overflow a double.
double norm(std::span<const float> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}
}  // namespace

Trainer::Trainer(TrainerParts parts)
    : parts_(std::move(parts)),
      guard_(parts_.train, state_.guard, std::log(static_cast<double>(parts_.network.vocabulary_size()))),
      monitor_(parts_.optimizer, parts_.schedule, state_.watch, unigram_entropy(parts_.corpus, parts_.corpus.train())),
      saver_(parts_.save, [this](const Warning& warning) { warn({warning}); }),
      recurrent_(parts_.network.zero_state(parts_.train.batch_size)) {
  require_plan(parts_.train, parts_.schedule);
  state_.corpus = parts_.corpus.fingerprint();
}

std::int64_t Trainer::last_step() const { return plan_steps(parts_.train, parts_.batcher.windows_per_epoch()); }

std::int64_t Trainer::total_steps() const {
  return parts_.schedule.total_steps > 0 ? parts_.schedule.total_steps : last_step();
}

double Trainer::rate(std::int64_t step, std::int64_t optimizer_steps) const {
  return state_.rate.factor * learning_rate(parts_.schedule, parts_.optimizer.lr, step, total_steps(), optimizer_steps);
}

bool Trainer::out_of_patience() const {
  return parts_.train.patience > 0 && state_.evals_since_best >= parts_.train.patience;
}

StepInfo Trainer::step() {
  const Clock::time_point start = Clock::now();
  const Batch batch = parts_.batcher.next();
  in_step_ = true;
  if (batch.starts_epoch || parts_.train.state == CarriedState::reset) reset_recurrent();
  StepInfo info;
  info.loss = parts_.network.train_window(batch, recurrent_);
  info.grad_norm = parts_.adam.gradient_norm();
  info.lr = rate(state_.step, parts_.adam.steps());
  verdict_ = guard_.judge(info.loss, info.grad_norm);
  const std::int64_t chars = batch.steps * batch.streams;
  info.step = ++state_.step;
  info.chars = state_.chars += chars;
  info.epoch = epoch_of(parts_.batcher);
  if (is_finite(info)) {
    update(info);
    state_.loss_sum += info.loss * static_cast<double>(chars);
    state_.loss_chars += chars;
  } else {
    reset_recurrent();  // the state after this window may not be finite either
  }
  info.skipped = state_.guard.skipped;
  training_seconds_ += seconds_since(start);
  training_chars_ += chars;
  if (chars_per_second_ == 0) chars_per_second_ = static_cast<double>(training_chars_) / training_seconds_;
  info.chars_per_second = chars_per_second_;
  info.elapsed_seconds = elapsed();
  in_step_ = false;
  return info;
}

void Trainer::update(StepInfo& info) {
  const double scale = clip_scale(info.grad_norm, parts_.optimizer.clip_norm);
  if (!due(parts_.train.log_every)) return parts_.adam.step(info.lr, scale);
  const std::vector<float> before = parts_.network.weights().to_host();
  parts_.adam.step(info.lr, scale);
  std::vector<float> change = parts_.network.weights().to_host();
  for (std::size_t i = 0; i < change.size(); ++i) change[i] -= before[i];
  info.update_ratio = norm(change) / norm(before);
  const std::size_t layer = recurrent_.h.size() / static_cast<std::size_t>(recurrent_.layers);
  const auto units = static_cast<double>(recurrent_.streams * recurrent_.hidden);
  info.hidden_rms = INFINITY;
  for (std::size_t begin = 0; begin < recurrent_.h.size(); begin += layer) {
    const std::span<const float> h(&recurrent_.h[begin], layer);
    const auto saturated = std::count_if(h.begin(), h.end(), [](float value) { return std::abs(value) > 0.98F; });
    info.hidden_rms = std::min(info.hidden_rms, norm(h) / std::sqrt(units));
    info.hidden_saturated = std::max(info.hidden_saturated, static_cast<double>(saturated) / units);
  }
}

void Trainer::report_step(const StepInfo& info) {
  for (Sink* sink : parts_.sinks) sink->step(info);
  std::vector<Warning> warnings;
  if (is_finite(info))
    monitor_.step(info, guard_.smoothed(), warnings);
  else if (info.skipped == 1)
    warnings.push_back({info.step, "skipped",
                        fmt::format("loss {} and gradient norm {}: the step is skipped. The metrics count such steps "
                                    "as \"skipped\"",
                                    info.loss, info.grad_norm)});
  if (due(parts_.train.log_every)) {
    StepInfo mean = info;
    mean.loss = state_.loss_chars > 0 ? state_.loss_sum / static_cast<double>(state_.loss_chars) : NAN;
    mean.chars_per_second = chars_per_second_ = static_cast<double>(training_chars_) / training_seconds_;
    training_chars_ = state_.loss_chars = 0;
    training_seconds_ = state_.loss_sum = 0;
    for (Sink* sink : parts_.sinks) sink->record(mean);
    if (is_finite(info)) monitor_.record(mean, guard_.smoothed(), warnings);
  }
  warn(warnings);
}

void Trainer::warn(const std::vector<Warning>& warnings) {
  for (const Warning& warning : warnings)
    for (Sink* sink : parts_.sinks) sink->warn(warning);
}

bool Trainer::evaluate_now() {
  for (Sink* sink : parts_.sinks) sink->activity("validating");
  const Clock::time_point start = Clock::now();
  Split split = parts_.corpus.val();
  // The first symbol is not predicted.
  if (const std::int64_t most = parts_.train.eval_max_chars; most > 0)
    split.end = std::min(split.end, split.begin + most + 1);
  const auto result = [&] {
    const AveragedWeights averaged(parts_.network, parts_.adam);
    return evaluate(parts_.network, parts_.corpus, split, {.stop = parts_.stop});
  }();
  if (!result) return false;
  const bool finite = std::isfinite(result->nats);
  if (!finite && parts_.train.on_divergence != OnDivergence::ignore) {
    recover(fmt::format("validation loss {}", result->loss()));
    return true;
  }
  EvalInfo info;
  info.step = state_.step;
  info.epoch = epoch_of(parts_.batcher);
  info.chars = state_.chars;
  info.result = *result;
  info.lr = rate(std::max<std::int64_t>(state_.step - 1, 0), std::max<std::int64_t>(parts_.adam.steps() - 1, 0));
  info.best = finite && (!state_.best_loss || result->loss() < *state_.best_loss);
  info.seconds = seconds_since(start);
  info.elapsed_seconds = elapsed();
  if (parts_.sample) info.sample = parts_.sample(state_.step);
  state_.evaluated_step = state_.step;
  ++state_.evals_since_best;
  if (info.best) {
    state_.best_loss = result->loss();
    state_.best_step = state_.step;
    state_.evals_since_best = 0;
  }
  std::vector<Warning> warnings;
  if (finite) monitor_.eval(info, *state_.best_loss, state_.best_step, warnings);
  if (finite && observe_validation(state_.rate, parts_.schedule, result->loss()))
    warnings.push_back({state_.step, "lr_drop",
                        fmt::format("no better validation loss in {} evaluations: the learning rate drops to {:.3g}",
                                    parts_.schedule.plateau_patience, rate(state_.step, state_.step))});
  for (Sink* sink : parts_.sinks) sink->eval(info);
  warn(warnings);
  if (info.best) save(CheckpointKind::best);
  return true;
}

Outcome Trainer::run() {
  try {
    return train();
  } catch (const std::exception& exception) {
    const auto* error = dynamic_cast<const Error*>(&exception);
    if (error != nullptr && error->code() == ExitCode::diverged) throw;
    if (!in_step_ && !guard_.suspicious() && !saver_.saved(state_.step) && !saver_.tried(state_.step))
      save(CheckpointKind::last, /*at_end=*/true);
    if (error != nullptr && error->code() != ExitCode::failure && saver_.failure())
      throw Error(ExitCode::failure, error->what(), "", saver_.failure()->what());
    throw;
  }
}

Outcome Trainer::train() {
  if (state_.step == 0) save(CheckpointKind::last);  // so that the run can be resumed from the start
  saver_.require_saved(state_.step);
  for (;;) {
    bool done = (last_step() > 0 && state_.step >= last_step()) || out_of_patience() ||
                (parts_.train.max_minutes > 0 && elapsed() >= 60 * parts_.train.max_minutes);
    const bool eval_due = parts_.corpus.val().size() > 0 && (due(parts_.train.eval_every) || done) &&
                          state_.evaluated_step != state_.step;
    const bool complete = !eval_due || evaluate_now();
    if ((eval_due || due(parts_.train.checkpoint_every) || due(parts_.train.keep_every)) && !guard_.suspicious())
      save(CheckpointKind::last);
    done = done || out_of_patience();
    if (done || stop_requested() || (parts_.stop_at > 0 && state_.step >= parts_.stop_at)) {
      if (guard_.suspicious() && !done)
        warn({{state_.step, "not_saved", "the loss is exploding: not saved, the last good checkpoint is kept"}});
      else if (!saver_.saved(state_.step))
        save(CheckpointKind::last, /*at_end=*/true);
      saver_.require_saved(state_.step);
      if (done && complete) return out_of_patience() ? Outcome::early : Outcome::finished;
      return stop_requested() ? Outcome::stopped : Outcome::stop_at;
    }
    const StepInfo info = step();
    report_step(info);
    if (verdict_ != DivergenceGuard::Verdict::diverged || parts_.train.on_divergence == OnDivergence::ignore) continue;
    recover(is_finite(info)
                ? fmt::format("the loss has risen to {:.3f}, from {:.3f} at its best", guard_.smoothed(), guard_.best())
                : fmt::format("loss {}, gradient norm {}, {} steps in a row", info.loss, info.grad_norm,
                              state_.guard.bad_in_row));
  }
}

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
  if (kind == CheckpointKind::best) return saver_.best(std::move(checkpoint));
  saver_.last(std::move(checkpoint), due(parts_.train.keep_every), at_end);
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
  Checkpoint c{parts_.config_json,
               parts_.corpus.vocabulary(),
               state_,
               parts_.network.layout(),
               parts_.network.weights().to_host(),
               parts_.adam.exp_avg().to_host(),
               parts_.adam.exp_avg_sq().to_host(),
               recurrent_,
               capture_generators(parts_.network.device())};
  if (const FlatArray* average = parts_.adam.average()) c.average = average->to_host();
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
  recurrent_ = c.state;
  restore_generators(c.generators, parts_.network.device());
  state_ = c.train;
  saver_.resume(state_);
  if (!options.reset_rate) return;
  state_.rate = {};
  guard_.restart();
}
}  // namespace charnn
