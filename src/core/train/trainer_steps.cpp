// How a trainer takes a step, and what it tells of it.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <fmt/format.h>
#include "core/base/random.h"
#include "core/model/torch_runtime.h"
#include "core/train/trainer.h"

namespace charnn {
namespace {
bool is_finite(const StepInfo& info) { return std::isfinite(info.loss) && std::isfinite(info.grad_norm); }
}  // namespace

double Trainer::norm(std::span<const float> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

void Trainer::reset_recurrent(const Scalar& where) {
  if (recurrent_.device)
    recurrent_.device = recurrent_.device->zero_where(where);  // nothing is copied
  else if (where != 0)
    recurrent_ = team_.zero_state();
}

StepInfo Trainer::step() {
  launch();
  const Launched launched = std::exchange(launched_, {}).back();
  const double loss = launched.loss, norm = launched.norm;
  return account(launched, loss, norm, seconds_since(launching_since_));
}

void Trainer::launch() {
  if (launched_.empty()) launching_since_ = Clock::now();
  const Batch batch = parts_.batcher.next(team_.own().first, team_.own().count);
  in_step_ = true;
  if (batch.starts_epoch || parts_.train.state == CarriedState::reset) reset_recurrent();
  drop_states();
  StepInfo info;
  if (in_company()) agreed_ = own_wishes();
  const Scalar loss = team_.train(batch, recurrent_, agreed_);
  if (in_company()) state_.planned_steps = agreed_.planned_steps;
  const Scalar norm = parts_.adam.gradient_norm();
  info.lr = rate(state_.step, parts_.adam.steps());
  if (parts_.train.window_jitter > 0)
    info.lr *= static_cast<double>(batch.steps) / static_cast<double>(parts_.train.sequence_length);
  const std::int64_t chars = batch.steps * parts_.train.batch_size;
  info.step = ++state_.step;
  info.chars = state_.chars += chars;
  info.epoch = epoch_of(parts_.batcher);
  update(info, norm, not_finite(loss, norm));
  launched_.push_back({info, loss, norm, chars});
  in_step_ = false;
}

void Trainer::drop_states() {
  const double probability = parts_.train.drop_state_probability;
  if (probability == 0) return;
  Random random(draw_seed());
  for (std::int64_t b = 0; b < parts_.train.batch_size; ++b)
    if (const std::int64_t own = b - team_.own().first;
        random.uniform() < probability && own >= 0 && own < recurrent_.streams)
      recurrent_.clear(own);
}

void Trainer::update(StepInfo& info, const Scalar& grad_norm, const Scalar& skip) {
  const auto update = [&] {
    parts_.adam.step(info.lr, grad_norm, skip);
    reset_recurrent(skip);  // the state after a window that is skipped may not be finite either
  };
  if (!due(parts_.train.log_every)) return update();
  const FlatArray& weights = parts_.network.weights();
  FlatArray change(weights);
  update();
  add(-1, weights, change, parts_.network.pool());
  const std::array<FlatRange, 1> all_weights{FlatRange{0, weights.size()}};
  info.update_ratio =
      norm_of(change, all_weights, parts_.network.pool()) / norm_of(weights, all_weights, parts_.network.pool());
  const State all = team_.whole(recurrent_);
  const std::size_t layer = all.h.size() / static_cast<std::size_t>(all.layers);
  const auto units = static_cast<double>(all.streams * all.hidden);
  info.hidden_rms = INFINITY;
  for (std::size_t begin = 0; begin < all.h.size(); begin += layer) {
    const std::span<const float> h(&all.h[begin], layer);
    const auto saturated = std::count_if(h.begin(), h.end(), [](float value) { return std::abs(value) > 0.98F; });
    info.hidden_rms = std::min(info.hidden_rms, norm(h) / std::sqrt(units));
    info.hidden_saturated = std::max(info.hidden_saturated, static_cast<double>(saturated) / units);
  }
}

bool Trainer::report_steps() {
  if (launched_.empty()) return true;
  std::vector<Scalar> numbers;
  for (const Launched& launched : launched_) numbers.insert(numbers.end(), {launched.loss, launched.norm});
  const std::vector<double> values = read_all(numbers);
  const std::int64_t steps = std::ssize(launched_);
  const double seconds = seconds_since(launching_since_) / static_cast<double>(steps);
  std::string found;
  for (std::size_t i = 0; !launched_.empty(); i += 2) {
    const Launched launched = launched_.front();
    launched_.erase(launched_.begin());
    const StepInfo info = account(launched, values[i], values[i + 1], seconds);
    report_step(info);
    if (verdict_ != DivergenceGuard::Verdict::diverged || !found.empty()) continue;
    found = is_finite(info)
                ? fmt::format("the loss has risen to {:.3f}, from {:.3f} at its best", guard_.smoothed(), guard_.best())
                : fmt::format("loss {}, gradient norm {}, {} steps in a row", info.loss, info.grad_norm,
                              state_.guard.bad_in_row);
  }
  pace_.steps(steps, seconds_since(launching_since_));
  plan_time();
  if (found.empty() || parts_.train.on_divergence == OnDivergence::ignore) return true;
  recover(found);
  return false;
}

StepInfo Trainer::account(const Launched& launched, double loss, double norm, double seconds) {
  StepInfo info = launched.info;
  info.loss = loss;
  info.grad_norm = norm;
  verdict_ = guard_.judge(loss, norm);
  if (is_finite(info)) {
    state_.loss_sum += loss * static_cast<double>(launched.chars);
    state_.loss_chars += launched.chars;
  }
  info.skipped = state_.guard.skipped;
  training_seconds_ += seconds;
  training_chars_ += launched.chars;
  if (chars_per_second_ == 0) chars_per_second_ = static_cast<double>(training_chars_) / training_seconds_;
  info.chars_per_second = chars_per_second_;
  info.elapsed_seconds = elapsed();
  info.last_step = last_step();
  info.seconds_left = seconds_left();
  return info;
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
  if (info.step == state_.step && due(parts_.train.log_every)) {
    StepInfo mean = info;
    mean.loss = state_.loss_chars > 0 ? state_.loss_sum / static_cast<double>(state_.loss_chars) : NAN;
    mean.chars_per_second = chars_per_second_ = static_cast<double>(training_chars_) / training_seconds_;
    mean.exchange_share =
        (parts_.group.seconds() - std::exchange(exchanged_before_, parts_.group.seconds())) / training_seconds_;
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
}  // namespace charnn
