#include "core/io/train_state.h"
#include <stdexcept>
#include <fmt/format.h>
#include "core/base/error.h"
#include "core/io/json_config.h"

namespace charnn {
namespace {
constexpr double most = 9007199254740992.0;  // 2^53: more than any run counts, and sums of two still fit

Field count(const char* name, std::int64_t& value) { return Field::integer(name, value, from_to(0, most)); }
Field signed_count(const char* name, std::int64_t& value) { return Field::integer(name, value, from_to(-most, most)); }
Field real(const char* name, double& value) { return Field::real(name, value, {}); }

Section section(const char* name, std::vector<Field> fields) { return {name, "", std::move(fields)}; }

std::vector<Section> describe(TrainState& s) {
  return {section("", {count("step", s.step), count("optimizer_step", s.optimizer_step), count("epoch", s.cursor.epoch),
                       count("position", s.cursor.position), count("chars", s.chars), real("loss_sum", s.loss_sum),
                       count("loss_chars", s.loss_chars),
                       Field::integer("evaluated_step", s.evaluated_step, from_to(-1, most)),
                       Field::optional_real("best_loss", s.best_loss), count("best_step", s.best_step),
                       count("corpus_bytes", s.corpus.bytes), count("evals_since_best", s.evals_since_best),
                       count("planned_steps", s.planned_steps)}),
          section("rate", {real("factor", s.rate.factor), Field::optional_real("plateau_best", s.rate.plateau_best),
                           count("plateau_evals", s.rate.plateau_evals)}),
          section("guard", {real("loss_average", s.guard.loss.sum), real("weight", s.guard.loss.weight),
                            Field::optional_real("best", s.guard.best), count("steps", s.guard.steps),
                            count("bad_in_row", s.guard.bad_in_row), count("skipped", s.guard.skipped),
                            count("vain_rollbacks", s.guard.vain_rollbacks)}),
          section("watch",
                  {real("marked_loss", s.watch.marked_loss), real("clipped_share", s.watch.clipped_share),
                   signed_count("odd_ratio", s.watch.odd_ratio), signed_count("odd_hidden", s.watch.odd_hidden),
                   real("train_loss_sum", s.watch.train_loss_sum), count("train_steps", s.watch.train_steps),
                   real("train_loss_at_best", s.watch.train_loss_at_best), count("rising_evals", s.watch.rising_evals),
                   Field::text_list("said", s.watch.warnings_given)})};
}
}  // namespace

nlohmann::ordered_json train_state_to_json(TrainState state) {
  nlohmann::ordered_json json = config_to_json(describe(state));
  json["corpus_hash"] = fmt::format("{:016x}", state.corpus.hash);
  return json;
}

TrainState train_state_from_json(const nlohmann::json& json, const std::string& what) {
  TrainState state;
  for (auto& [name, help, fields] : describe(state)) {
    // Older checkpoints lack the named sections and these fields.
    if (!name.empty() && !json.contains(name)) continue;
    const nlohmann::json& object = name.empty() ? json : json.at(name);
    for (Field& field : fields) {
      const bool newer = field.name == "evals_since_best" || field.name == "planned_steps";
      if (newer && !object.contains(field.name)) continue;
      const std::string where = fmt::format("{}: train_state: {}", what, field.name);
      const nlohmann::json& item = object.at(field.name);
      const auto value = to_value(item);
      if (!value) fail_input(fmt::format("{} = {}", where, item.dump(-1, ' ', true)), field.allowed_text(), "");
      assign(field, *value, where);
    }
  }
  const auto hash = json.at("corpus_hash").get<std::string>();
  if (hash.size() != 16 || hash.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw std::invalid_argument("corpus_hash is not 16 hexadecimal digits");
  state.corpus.hash = std::stoull(hash, nullptr, 16);
  return state;
}
}  // namespace charnn
