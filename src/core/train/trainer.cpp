#include "core/train/trainer.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <fmt/format.h>
#include "core/base/random.h"
#include "core/model/torch_runtime.h"
#include "core/train/schedule.h"

namespace charnn {
Trainer::Trainer(TrainerParts parts)
    : parts_(std::move(parts)),
      guard_(parts_.train, state_.guard, std::log(static_cast<double>(parts_.network.vocabulary_size()))),
      monitor_(parts_.optimizer, parts_.schedule, state_.watch, unigram_entropy(parts_.corpus, parts_.corpus.train()),
               parts_.network.config().dropout, parts_.train.patience),
      saver_(parts_.save, [this](const Warning& warning) { warn({warning}); }),
      team_(parts_.network, parts_.group, parts_.train.batch_size, parts_.train.shards),
      recurrent_(team_.zero_state()),
      opening_(parts_.corpus.opening()),
      pace_(parts_.train) {
  require_plan(parts_.train, parts_.schedule);
  require_shards(parts_.train.shards, parts_.train.batch_size, parts_.group.size());
  state_.corpus = parts_.corpus.fingerprint();
}

std::int64_t Trainer::last_step() const {
  const std::int64_t steps = plan_steps(parts_.train, parts_.batcher.windows_per_epoch());
  if (steps == 0 || state_.planned_steps == 0) return steps + state_.planned_steps;
  return std::min(steps, state_.planned_steps);
}

std::int64_t Trainer::total_steps() const {
  if (parts_.schedule.total_steps > 0) return parts_.schedule.total_steps;
  // Limited by time alone, and that not planned yet: the schedule is at its beginning.
  const bool unknown = ends_by_time(parts_.train, parts_.schedule) && last_step() == 0;
  return unknown ? std::numeric_limits<std::int64_t>::max() / 2 : last_step();
}

void Trainer::plan_time() {
  if (state_.planned_steps > 0 || !parts_.group.leads() || !ends_by_time(parts_.train, parts_.schedule)) return;
  const double limit = 60 * parts_.train.max_minutes;
  if (!pace_.known() || (pace_.measured() < std::min(10.0, limit / 20) && elapsed() < limit / 4)) return;
  constexpr double spared = 0.98;  // machines get slower when they get warm
  state_.planned_steps = state_.step + pace_.steps_in(spared * (limit - elapsed()));
}

double Trainer::seconds_left() const {
  const double until_limit = parts_.train.max_minutes > 0 ? 60 * parts_.train.max_minutes - elapsed() : INFINITY;
  const std::int64_t steps = last_step() - state_.step;
  if (last_step() == 0 || !pace_.known()) return std::isfinite(until_limit) ? until_limit : 0;
  return std::min(until_limit, pace_.seconds_for(steps));
}

double Trainer::rate(std::int64_t step, std::int64_t optimizer_steps) const {
  return state_.rate.factor * learning_rate(parts_.schedule, parts_.optimizer.lr, step, total_steps(), optimizer_steps);
}

bool Trainer::out_of_patience() const {
  return parts_.train.patience > 0 && state_.evals_since_best >= parts_.train.patience;
}

Wishes Trainer::own_wishes() const {
  const double minutes = parts_.train.checkpoint_minutes;
  return {.stop = own_stop(),
          .save = (parts_.save_now && parts_.save_now()) || (minutes > 0 && seconds_since(saved_) >= 60 * minutes),
          .time_is_up = time_is_up(),
          .long_evaluation = pace_.evaluation() > 2,
          .planned_steps = state_.planned_steps};
}

bool Trainer::save_due() { return due(parts_.train.checkpoint_every) || due(parts_.train.keep_every) || agreed_.save; }

void Trainer::save_first() {
  if (agreed_.long_evaluation && !guard_.suspicious() && !saver_.saved(state_.step)) save(CheckpointKind::last);
}

bool Trainer::evaluate_now() {
  for (Sink* sink : parts_.sinks) sink->activity("validating");
  const Clock::time_point start = Clock::now();
  Split split = parts_.corpus.val();
  split.end = split.begin + evaluated_chars(parts_.train, split);
  const auto result = [&] {
    const AveragedWeights averaged(parts_.network, parts_.adam);
    const auto stop = [this] { return (agreed_.stop = parts_.group.most(own_stop())) != 0; };
    return evaluate(parts_.network, parts_.corpus, split, {.stop = stop, .group = &parts_.group});
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
  pace_.evaluation(info.seconds);
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
    if (in_company()) throw;  // a checkpoint takes the states of all processes
    const auto* error = dynamic_cast<const Error*>(&exception);
    if (error != nullptr && error->code() == ExitCode::diverged) throw;
    if (!in_step_ && launched_.empty() && !guard_.suspicious() && !saver_.saved(state_.step) &&
        !saver_.tried(state_.step))
      save(CheckpointKind::last, /*at_end=*/true);
    if (error != nullptr && error->code() != ExitCode::failure && saver_.failure())
      throw Error(ExitCode::failure, error->what(), "", saver_.failure()->what());
    throw;
  }
}

Outcome Trainer::train() {
  if (state_.step == 0) save(CheckpointKind::last);  // so that the run can be resumed from the start
  saver_.require_saved(state_.step);
  if (const Split val = parts_.corpus.val(); val.size() > 0) {
    const std::int64_t chars = evaluated_chars(parts_.train, val);
    const double a_char = evaluation_seconds(parts_.network, 1 << 10) / (1 << 10);
    pace_.evaluation(a_char * static_cast<double>(chars));
    if (chars < val.size()) pace_.last(a_char * static_cast<double>(val.size()));
  }
  agreed_.time_is_up = parts_.group.most(parts_.group.leads() && time_is_up()) != 0;
  for (;;) {
    if (!in_company()) agreed_ = own_wishes();
    bool done = (last_step() > 0 && state_.step >= last_step()) || out_of_patience() || agreed_.time_is_up;
    const bool eval_due = parts_.corpus.val().size() > 0 && (due(parts_.train.eval_every) || done) &&
                          state_.evaluated_step != state_.step;
    const bool at_stop = parts_.stop_at > 0 && state_.step >= parts_.stop_at;
    if ((done || agreed_.stop != 0 || at_stop || eval_due || save_due()) && !report_steps()) continue;
    if (eval_due && !done) save_first();
    const bool complete = !eval_due || evaluate_now();
    if ((eval_due || save_due()) && !guard_.suspicious()) save(CheckpointKind::last);
    done = done || out_of_patience();
    if (!in_company() && agreed_.stop == 0 && launched_.empty()) agreed_.stop = own_stop();
    if (done || agreed_.stop != 0 || at_stop) {
      if (guard_.suspicious() && !done)
        warn({{state_.step, "not_saved", "the loss is exploding: not saved, the last good checkpoint is kept"}});
      else if (!saver_.saved(state_.step))
        save(CheckpointKind::last, /*at_end=*/true);
      saver_.require_saved(state_.step);
      if (done && complete) return out_of_patience() ? Outcome::early : Outcome::finished;
      return agreed_.stop != 0 ? Outcome::stopped : Outcome::stop_at;
    }
    launch();
    // The first steps alone, to know how long one takes; then a GPU works ahead, for a second at most.
    if (launched_.back().loss.known() || !pace_.known() || due(parts_.train.log_every) ||
        seconds_since(launching_since_) > 1)
      report_steps();
  }
}
}  // namespace charnn
