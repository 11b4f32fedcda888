#include "core/train/trainer.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/train/evaluate.h"
#include "core/train/plan.h"
#include "core/train/schedule.h"

namespace charnn {
namespace {
using Clock = std::chrono::steady_clock;
using Verdict = DivergenceGuard::Verdict;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

bool is_finite(const StepInfo& info) { return std::isfinite(info.loss) && std::isfinite(info.grad_norm); }

/// How far the weights moved in a step, as a share of their size.
double update_ratio(const std::vector<float>& before, const std::vector<float>& after) {
  double change = 0, size = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double was = static_cast<double>(before[i]), by = static_cast<double>(after[i]) - was;
    size += was * was;
    change += by * by;
  }
  return std::sqrt(change / size);
}

/// Root mean square of the hidden state of the layer where it is smallest, and the share of hidden units beyond 0.98 of
/// the layer where that is largest.
void measure_state(const State& state, StepInfo& info) {
  const std::size_t layer = state.h.size() / static_cast<std::size_t>(state.layers);
  const double units = static_cast<double>(state.streams * state.hidden);
  double least = INFINITY, most = 0;
  for (std::size_t begin = 0; begin < state.h.size(); begin += layer) {
    double squares = 0, saturated = 0;
    for (std::size_t i = begin; i < begin + layer; ++i) {
      squares += static_cast<double>(state.h[i]) * static_cast<double>(state.h[i]);
      saturated += std::abs(state.h[i]) > 0.98F ? 1 : 0;
    }
    least = std::min(least, squares / units);
    most = std::max(most, saturated / units);
  }
  info.hidden_rms = std::sqrt(least);
  info.hidden_saturated = most;
}
}  // namespace

Trainer::Trainer(TrainerParts parts)
    : parts_(std::move(parts)),
      guard_(parts_.train, state_.guard, std::log(static_cast<double>(parts_.network.vocabulary_size()))),
      monitor_(parts_.optimizer, parts_.schedule, state_.watch, unigram_entropy(parts_.corpus, parts_.corpus.train())),
      saver_(parts_.save, [this](const Warning& warning) { warn({warning}); }),
      recurrent_(parts_.network.zero_state(parts_.train.batch_size)),
      start_(Clock::now()) {
  require_plan(parts_.train, parts_.schedule);
  state_.corpus = parts_.corpus.fingerprint();
}

std::int64_t Trainer::last_step() const { return plan_steps(parts_.train, parts_.batcher.windows_per_epoch()); }

std::int64_t Trainer::total_steps() const {
  return parts_.schedule.total_steps > 0 ? parts_.schedule.total_steps : last_step();
}

double Trainer::elapsed() const { return parts_.elapsed_before + seconds_since(start_); }

double Trainer::epoch() const {
  const Cursor& cursor = parts_.batcher.cursor();
  return static_cast<double>(cursor.epoch) +
         static_cast<double>(cursor.position) / static_cast<double>(parts_.batcher.stream_length());
}

bool Trainer::out_of_patience() const {
  return parts_.train.patience > 0 && state_.evals_since_best >= parts_.train.patience;
}

bool Trainer::plan_done() const {
  const std::int64_t last = last_step();
  return (last > 0 && state_.step >= last) || out_of_patience() ||
         (parts_.train.max_minutes > 0 && elapsed() >= 60 * parts_.train.max_minutes);
}

double Trainer::rate(std::int64_t step, std::int64_t optimizer_steps) const {
  return state_.rate.factor * learning_rate(parts_.schedule, parts_.optimizer.lr, step, total_steps(), optimizer_steps);
}

StepInfo Trainer::step() {
  const Clock::time_point start = Clock::now();
  const Batch batch = parts_.batcher.next();
  in_step_ = true;
  if (batch.starts_epoch || parts_.train.state == CarriedState::reset)
    recurrent_ = parts_.network.zero_state(parts_.train.batch_size);
  StepInfo info;
  info.loss = parts_.network.train_window(batch, recurrent_);
  info.grad_norm = parts_.adam.gradient_norm();
  info.lr = rate(state_.step, parts_.adam.steps());
  verdict_ = guard_.judge(info.loss, info.grad_norm);
  const auto chars = static_cast<std::int64_t>(batch.input.size());
  info.step = ++state_.step;
  info.chars = state_.chars += chars;
  info.epoch = epoch();
  if (is_finite(info)) {
    update(info);
    state_.loss_sum += info.loss * static_cast<double>(chars);
    state_.loss_chars += chars;
  } else {
    recurrent_ = parts_.network.zero_state(parts_.train.batch_size);  // what the window left may not be finite
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
  info.update_ratio = update_ratio(before, parts_.network.weights().to_host());
  measure_state(recurrent_, info);
}

void Trainer::warn(const std::vector<Warning>& warnings) {
  for (const Warning& warning : warnings)
    for (Sink* sink : parts_.sinks) sink->warn(warning);
}

StepInfo Trainer::record(const StepInfo& info) {
  chars_per_second_ = static_cast<double>(training_chars_) / training_seconds_;
  training_seconds_ = 0;
  training_chars_ = 0;
  StepInfo mean = info;
  mean.loss = state_.loss_chars > 0 ? state_.loss_sum / static_cast<double>(state_.loss_chars)
                                    : std::numeric_limits<double>::quiet_NaN();
  mean.chars_per_second = chars_per_second_;
  state_.loss_sum = 0;
  state_.loss_chars = 0;
  for (Sink* sink : parts_.sinks) sink->record(mean);
  return mean;
}

void Trainer::report_step(const StepInfo& info) {
  for (Sink* sink : parts_.sinks) sink->step(info);
  std::vector<Warning> warnings;
  if (is_finite(info)) monitor_.step(info, guard_.smoothed(), warnings);
  if (!is_finite(info) && info.skipped == 1)
    warnings.push_back({info.step, "skipped",
                        fmt::format("loss {} and gradient norm {} in step {}: the step is skipped. The metrics count "
                                    "such steps (skipped)",
                                    info.loss, info.grad_norm, info.step)});
  if (due(parts_.train.log_every)) {
    const StepInfo mean = record(info);
    if (is_finite(info)) monitor_.record(mean, guard_.smoothed(), warnings);
  }
  warn(warnings);
}

bool Trainer::evaluate_now() {
  for (Sink* sink : parts_.sinks) sink->activity("validating");
  const Clock::time_point start = Clock::now();
  Split split = parts_.corpus.val();
  // One symbol more than is predicted: the first is only looked at.
  if (const std::int64_t most = parts_.train.eval_max_chars; most > 0)
    split.end = std::min(split.end, split.begin + most + 1);
  const auto result = evaluate(parts_.network, parts_.corpus, split, {.stop = parts_.stop});
  if (!result) return false;
  if (!std::isfinite(result->nats) && parts_.train.on_divergence != OnDivergence::ignore) {
    recover(fmt::format("validation loss {}", result->loss()));
    return true;
  }
  EvalInfo info;
  info.step = state_.step;
  info.epoch = epoch();
  info.chars = state_.chars;
  info.result = *result;
  info.lr = rate(std::max<std::int64_t>(state_.step - 1, 0), std::max<std::int64_t>(parts_.adam.steps() - 1, 0));
  info.best = std::isfinite(result->nats) && (!state_.best_loss || result->loss() < *state_.best_loss);
  info.seconds = seconds_since(start);
  info.elapsed_seconds = elapsed();
  if (parts_.sample) info.sample = parts_.sample(state_.step);
  std::vector<Warning> warnings;
  count_evaluation(info, warnings);
  for (Sink* sink : parts_.sinks) sink->eval(info);
  warn(warnings);
  if (info.best) save_or_recover(CheckpointKind::best);
  return true;
}

void Trainer::count_evaluation(const EvalInfo& info, std::vector<Warning>& warnings) {
  state_.evaluated_step = state_.step;
  ++state_.evals_since_best;
  if (info.best) {
    state_.best_loss = info.result.loss();
    state_.best_step = state_.step;
    state_.evals_since_best = 0;
  }
  if (!std::isfinite(info.result.nats)) return;
  monitor_.eval(info, *state_.best_loss, state_.best_step, warnings);
  if (observe_validation(state_.rate, parts_.schedule, info.result.loss()))
    warnings.push_back({state_.step, "lr_drop",
                        fmt::format("no better validation in {} evaluations: the learning rate drops to {:.3g}",
                                    parts_.schedule.plateau_patience, rate(state_.step, state_.step))});
}

Outcome Trainer::run() {
  try {
    return train();
  } catch (const Error& error) {
    if (error.code() == ExitCode::diverged) throw;
    rescue();
    if (saver_.failure() && error.code() != ExitCode::failure)
      throw Error(ExitCode::failure, error.what(), "", saver_.failure()->what());
    throw;
  } catch (const std::exception&) {
    rescue();
    throw;
  }
}

Outcome Trainer::train() {
  if (state_.step == 0) save_or_recover(CheckpointKind::last);  // so that a run can be resumed from the start
  saver_.require_saved(state_.step);
  for (;;) {
    bool done = plan_done();
    const bool eval_due = validates() && (due(parts_.train.eval_every) || done) && state_.evaluated_step != state_.step;
    const bool complete = !eval_due || evaluate_now();
    if ((eval_due || due(parts_.train.checkpoint_every) || due(parts_.train.keep_every)) && !unsafe_to_save())
      save_or_recover(CheckpointKind::last);
    done = done || out_of_patience();
    if (done || stop_requested() || (parts_.stop_at > 0 && state_.step >= parts_.stop_at)) {
      end(done);
      if (done && complete) return out_of_patience() ? Outcome::early : Outcome::finished;
      return stop_requested() ? Outcome::stopped : Outcome::stop_at;
    }
    const StepInfo info = step();
    report_step(info);
    if (verdict_ != Verdict::diverged || parts_.train.on_divergence == OnDivergence::ignore) continue;
    recover(is_finite(info)
                ? fmt::format("the loss has risen to {:.3f}, from {:.3f} at its best", guard_.smoothed(), guard_.best())
                : fmt::format("loss {}, gradient norm {}, {} steps in a row", info.loss, info.grad_norm,
                              state_.guard.bad_in_row));
  }
}
}  // namespace charnn
