#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/train/evaluate.h"
#include "core/train/line_sink.h"
#include "core/train/schedule.h"

namespace charnn {
namespace {

using Clock = std::chrono::steady_clock;
using Verdict = DivergenceGuard::Verdict;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

Trainer::Trainer(TrainerParts parts)
    : parts_(std::move(parts)),
      guard_(parts_.train, state_.guard, std::log(static_cast<double>(parts_.model.vocabulary_size()))),
      watch_(parts_.optimizer, parts_.schedule, state_.watch, unigram_entropy(parts_.corpus, parts_.corpus.train())),
      recurrent_(parts_.model.zero_state(parts_.train.batch_size)),
      start_(Clock::now()) {
  require_plan(parts_.train, parts_.schedule);
  state_.corpus = parts_.corpus.fingerprint();
  parts_.model.train();
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
    recurrent_ = parts_.model.zero_state(parts_.train.batch_size);
  auto [loss, next] = parts_.model.loss(batch.input, batch.target, recurrent_, batch.starts);
  parts_.adam.zero_grad();
  loss.backward();

  StepInfo info;
  info.grad_norm = parts_.adam.gradient_norm();
  info.loss = loss.item<double>();
  info.lr = rate(state_.step, parts_.adam.steps());
  verdict_ = guard_.judge(info.loss, info.grad_norm);
  const std::int64_t chars = batch.input.numel();
  info.step = ++state_.step;
  info.chars = state_.chars += chars;
  info.epoch = epoch();
  if (std::isfinite(info.loss) && std::isfinite(info.grad_norm)) {
    recurrent_ = next;
    update(info.lr, info.grad_norm, info);
    state_.loss_sum += info.loss * static_cast<double>(chars);
    state_.loss_chars += chars;
  } else {
    recurrent_ = parts_.model.zero_state(parts_.train.batch_size);  // what the window left may not be finite
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

void Trainer::update(double lr, double grad_norm, StepInfo& info) {
  const double scale = clip_scale(grad_norm, parts_.optimizer.clip_norm);
  if (!due(parts_.train.log_every)) return parts_.adam.step(lr, scale);
  const torch::NoGradGuard no_grad;
  const NamedTensors weights = parts_.model.weights();
  std::vector<torch::Tensor> before;
  for (const auto& [name, weight] : weights) before.push_back(weight.clone());
  parts_.adam.step(lr, scale);
  double change = 0, size = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    size += before[i].square().sum(torch::kDouble).item<double>();
    change += before[i].sub_(weights[i].second).square_().sum(torch::kDouble).item<double>();
  }
  info.update_ratio = std::sqrt(change / size);
  const torch::Tensor& h = recurrent_.h;  // [layers, B, H]
  info.hidden_rms = h.square().mean({1, 2}).min().sqrt().item<double>();
  info.hidden_saturated = h.abs().gt(0.98).to(torch::kFloat).mean({1, 2}).max().item<double>();
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

void Trainer::look_at(const StepInfo& info) {
  for (Sink* sink : parts_.sinks) sink->step(info);
  std::vector<Warning> warnings;
  const bool finite = std::isfinite(info.loss) && std::isfinite(info.grad_norm);
  if (finite) watch_.step(info, guard_.smoothed(), warnings);
  if (!finite && info.skipped == 1)
    warnings.push_back({info.step, "skipped",
                        fmt::format("loss {} and gradient norm {} in step {}: the step is skipped. The metrics count "
                                    "such steps (skipped)",
                                    info.loss, info.grad_norm, info.step)});
  if (due(parts_.train.log_every)) {
    const StepInfo mean = record(info);
    if (finite) watch_.record(mean, guard_.smoothed(), warnings);
  }
  warn(warnings);
}

void Trainer::recover(const std::string& found) {
  const double lr = rate(state_.step - 1, parts_.adam.steps());
  const OnDivergence policy = parts_.train.on_divergence;
  // The best checkpoint, unless all evaluations came too late; the last one is never replaced by a suspicious one.
  const CheckpointKind good_kind =
      state_.best_loss && guard_.knows_something(*state_.best_loss) ? CheckpointKind::best : CheckpointKind::last;
  if (policy != OnDivergence::rollback || !parts_.load || guard_.hopeless()) {
    if (parts_.load && good_kind == CheckpointKind::best)
      store(CheckpointKind::last, waiting_best_ ? *waiting_best_ : parts_.load(good_kind),
            "the earlier checkpoint is kept");
    throw Error(ExitCode::diverged, fmt::format("training diverged at step {}: {}", state_.step, found),
                "a loss that falls",
                fmt::format("the last good checkpoint is intact: resume from it with a learning rate well below {:.3g} "
                            "(--lr), or a lower --clip-norm; charnn lr-find finds a rate",
                            lr));
  }
  const Checkpoint good = good_kind == CheckpointKind::best && waiting_best_ ? *waiting_best_ : parts_.load(good_kind);
  parts_.model.load(good.model);
  parts_.adam.restore(good.exp_avg, good.exp_avg_sq, good.train.optimizer_step);
  recurrent_ = parts_.model.zero_state(parts_.train.batch_size);
  state_.rate.factor /= 2;
  guard_.rolled_back();
  warn({{state_.step, "rollback",
         fmt::format("{}: back to the weights of step {}, and on with half the learning rate ({:.3g})", found,
                     good.train.step, rate(state_.step, state_.step))}});
  save(CheckpointKind::last);
}

bool Trainer::evaluate_now() {
  for (Sink* sink : parts_.sinks) sink->busy("validating");
  const Clock::time_point start = Clock::now();
  Split split = parts_.corpus.val();
  // One symbol more than is predicted: the first is only looked at.
  if (const std::int64_t most = parts_.train.eval_max_chars; most > 0)
    split.end = std::min(split.end, split.begin + most + 1);
  const auto result = evaluate(parts_.model, parts_.corpus, split, {.stop = parts_.stop});
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
  if (info.best) save(CheckpointKind::best);
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
  watch_.eval(info, *state_.best_loss, state_.best_step, warnings);
  if (observe_validation(state_.rate, parts_.schedule, info.result.loss()))
    warnings.push_back({state_.step, "lr_drop",
                        fmt::format("no better validation in {} evaluations: the learning rate drops to {:.3g}",
                                    parts_.schedule.plateau_patience, rate(state_.step, state_.step))});
}

bool Trainer::guarded() const { return parts_.train.on_divergence != OnDivergence::ignore && guard_.suspicious(); }

Outcome Trainer::run() {
  try {
    return train();
  } catch (const Error& error) {
    if (error.code() == ExitCode::diverged) throw;
    rescue();
    if (failure_ && error.code() != ExitCode::failure)
      throw Error(ExitCode::failure, error.what(), "", failure_->what());
    throw;
  } catch (const std::exception&) {
    rescue();
    throw;
  }
}

void Trainer::rescue() {
  if (!in_step_ && !guarded() && saved_step_ != state_.step && tried_step_ != state_.step)
    save(CheckpointKind::last, /*at_end=*/true);
}

Outcome Trainer::train() {
  const bool validates = parts_.corpus.val().size() > 0;
  // A checkpoint of step 0 too: a run can be resumed from its first moment on.
  if (state_.step == 0) save(CheckpointKind::last);
  require_saved();
  for (;;) {
    bool done = plan_done();
    const bool eval_due = validates && (due(parts_.train.eval_every) || done) && state_.evaluated_step != state_.step;
    const bool complete = !eval_due || evaluate_now();
    if ((eval_due || due(parts_.train.checkpoint_every) || due(parts_.train.keep_every)) && !guarded())
      save(CheckpointKind::last);
    done = done || out_of_patience();
    const bool here = parts_.stop_at > 0 && state_.step >= parts_.stop_at;
    if (done || here || stop_requested()) {
      if (guarded() && !done)
        warn({{state_.step, "not_saved", "the loss is exploding: not saved, the last good checkpoint is kept"}});
      else if (saved_step_ != state_.step || waiting_best_)
        save(CheckpointKind::last, /*at_end=*/true);
      require_saved();
      if (done && complete) return out_of_patience() ? Outcome::early : Outcome::finished;
      return stop_requested() ? Outcome::stopped : Outcome::stop_at;
    }
    const StepInfo info = step();
    look_at(info);
    if (verdict_ == Verdict::diverged && parts_.train.on_divergence != OnDivergence::ignore)
      recover(
          std::isfinite(info.loss) && std::isfinite(info.grad_norm)
              ? fmt::format("the loss has risen to {:.3f}, from {:.3f} at its best", guard_.smoothed(), guard_.best())
              : fmt::format("loss {}, gradient norm {}, {} steps in a row", info.loss, info.grad_norm,
                            state_.guard.bad_in_row));
  }
}

}  // namespace charnn
