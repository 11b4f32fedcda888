#include "core/io/train_state.h"

#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/io/strict_json.h"

namespace charnn {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// Each field is named once; `visit` reads or writes it.

template <class State, class Visit>
void fields_of_rate(State& s, Visit&& visit) {
  visit("factor", s.factor);
  visit("plateau_best", s.plateau_best);
  visit("plateau_evals", s.plateau_evals);
}

template <class State, class Visit>
void fields_of_guard(State& s, Visit&& visit) {
  visit("loss_average", s.loss.sum);
  visit("weight", s.loss.weight);
  visit("best", s.best);
  visit("steps", s.steps);
  visit("bad_in_row", s.bad_in_row);
  visit("skipped", s.skipped);
  visit("rollbacks", s.rollbacks);
  visit("vain_rollbacks", s.vain_rollbacks);
}

template <class State, class Visit>
void fields_of_watch(State& s, Visit&& visit) {
  visit("marked_loss", s.marked_loss);
  visit("clipped_share", s.clipped_share);
  visit("odd_ratio", s.odd_ratio);
  visit("odd_hidden", s.odd_hidden);
  visit("train_loss_sum", s.train_loss_sum);
  visit("train_steps", s.train_steps);
  visit("train_loss_at_best", s.train_loss_at_best);
  visit("rising_evals", s.rising_evals);
  visit("said", s.said);
}

template <class State, class Visit>
void fields_of_progress(State& s, Visit&& visit) {
  visit("step", s.step);
  visit("optimizer_step", s.optimizer_step);
  visit("epoch", s.cursor.epoch);
  visit("position", s.cursor.position);
  visit("chars", s.chars);
  visit("loss_sum", s.loss_sum);
  visit("loss_chars", s.loss_chars);
  visit("evaluated_step", s.evaluated_step);
  visit("best_loss", s.best_loss);
  visit("best_step", s.best_step);
  visit("corpus_bytes", s.corpus.bytes);
}

struct Writer {
  ordered_json object = ordered_json::object();

  template <class T>
  void operator()(const char* name, const T& value) {
    object[name] = value;
  }
  void operator()(const char* name, const std::optional<double>& value) {
    object[name] = value ? ordered_json(*value) : ordered_json();
  }
};

struct Reader {
  const json& object;

  template <class T>
  void operator()(const char* name, T& value) const {
    value = object.at(name).template get<T>();
  }
  void operator()(const char* name, std::int64_t& value) const {
    constexpr std::int64_t most = std::int64_t{1} << 53;  // far more than can be counted; sums stay in range
    const json& found = object.at(name);
    if (!found.is_number_integer() || found > most || found < -most)
      throw std::out_of_range(fmt::format("\"{}\" is no count", name));
    value = found.get<std::int64_t>();
  }
  void operator()(const char* name, std::optional<double>& value) const {
    const json& found = object.at(name);
    value = found.is_null() ? std::nullopt : std::optional(found.get<double>());
  }
};

}  // namespace

ordered_json train_state_to_json(const TrainState& s) {
  Writer progress, rate, guard, watch;
  fields_of_progress(s, progress);
  progress("evals_since_best", s.evals_since_best);
  progress("corpus_hash", fmt::format("{:016x}", s.corpus.hash));
  fields_of_rate(s.rate, rate);
  fields_of_guard(s.guard, guard);
  fields_of_watch(s.watch, watch);
  progress("rate", rate.object);
  progress("guard", guard.object);
  progress("watch", watch.object);
  return progress.object;
}

TrainState train_state_from_json(const json& object) {
  TrainState s;
  fields_of_progress(s, Reader{object});
  for (const std::int64_t count :
       {s.step, s.optimizer_step, s.chars, s.loss_chars, s.evaluated_step + 1, s.best_step, s.corpus.bytes})
    if (count < 0) throw std::out_of_range("a count is negative");
  s.corpus.hash = parse_hash(object.at("corpus_hash").get<std::string>());
  if (!object.contains("rate")) return s;  // written before these were kept
  Reader{object}("evals_since_best", s.evals_since_best);
  fields_of_rate(s.rate, Reader{object.at("rate")});
  fields_of_guard(s.guard, Reader{object.at("guard")});
  fields_of_watch(s.watch, Reader{object.at("watch")});
  return s;
}

}  // namespace charnn
